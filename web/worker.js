// The engine's worker: starts the file that the address names, after a look at the graphics card if it
// needs one.

const asked = new URL(self.location).searchParams;
const name = asked.get("engine") === "engine_gpu" ? "engine_gpu" : "engine_cpu";
const place = name === "engine_gpu" ? "./webgpu/" : "./";
const version = encodeURIComponent(asked.get("v") ?? "");

const fail = (error) =>
  self.postMessage({ kind: "failed", fatal: true, reason: String(error?.message ?? error) });

// Why WebGPU cannot be used here, or nothing. Tests may allow the adapter that the processor imitates.
async function obstacle(software) {
  if (!self.isSecureContext) return "WebGPU needs https or localhost";
  if (!self.navigator.gpu) return "this browser has no WebGPU";
  const adapter = await self.navigator.gpu.requestAdapter();
  if (!adapter) return "no graphics adapter was found";
  const { architecture = "", description = "", device = "" } = adapter.info ?? {};
  const imitated = adapter.info?.isFallbackAdapter || /swiftshader|llvmpipe|lavapipe|software/i.test(`${architecture} ${description} ${device}`);
  return imitated && !software ? "only an adapter that the processor imitates was found" : null;
}

try {
  const reason = name === "engine_gpu" ? await obstacle(asked.has("software")) : null;
  if (reason) throw new Error(reason);
  const { default: init } = await import(`${place}${name}.js?v=${version}`);
  await init({ module_or_path: new URL(`${place}${name}_bg.wasm?v=${version}`, self.location) });
} catch (error) {
  fail(error);
}
