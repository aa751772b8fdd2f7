// Starts the page and says what went wrong if it does not start. Trunk wrote the names of the files.

const app = document.querySelector('meta[name="csae-app"]').dataset;
const box = document.getElementById("boot");
const line = document.getElementById("boot-line");

// How far the page's file has come; hosts that send no length get megabytes.
async function counted(response) {
  const total = Number(response.headers.get("content-length")) || 0;
  const compressed = response.headers.get("content-encoding");
  let loaded = 0;
  const counter = new TransformStream({
    transform(chunk, out) {
      loaded += chunk.length;
      const share = total && !compressed ? `${Math.round((100 * loaded) / total)} %` : `${(loaded / 1e6).toFixed(1)} MB`;
      line.textContent = `Loading the explorer: ${share}`;
      out.enqueue(chunk);
    },
  });
  return new Response(response.body.pipeThrough(counter), { headers: { "content-type": "application/wasm" } });
}

function failed(error) {
  box.hidden = false;
  box.classList.add("failed");
  line.textContent = `Your browser could not start the explorer: ${error?.message ?? error}`;
}

let slow;
try {
  if (typeof WebAssembly !== "object") throw new Error("it has no WebAssembly, or it is switched off");
  box.hidden = false;
  slow = setTimeout(() => line.classList.add("slow"), 8000);
  // Both at once.
  const fetched = fetch(new URL(app.wasm, document.baseURI));
  const { default: init } = await import(new URL(app.js, document.baseURI));
  const response = await fetched;
  if (!response.ok) throw new Error(`${app.wasm}: the server says ${response.status}`);
  await init({ module_or_path: await counted(response) });
  box.remove();
} catch (error) {
  failed(error);
} finally {
  clearTimeout(slow);
}
