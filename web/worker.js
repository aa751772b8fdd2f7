// The engine's worker: starts the file that the address names, after a look at the graphics card if it
// needs one.

const asked = new URL(self.location).searchParams;
const name = asked.get("engine") === "engine_gpu" ? "engine_gpu" : "engine_cpu";
const place = name === "engine_gpu" ? "./webgpu/" : "./";
const version = encodeURIComponent(asked.get("v") ?? "");

const fail = (error) => self.postMessage({ kind: "failed", reason: String(error?.message ?? error) });

// The graphics card, or why it cannot be used here. Tests may allow the adapter that the processor
// imitates.
async function graphicsCard(software) {
  if (!self.isSecureContext) throw new Error("WebGPU needs https or localhost");
  if (!self.navigator.gpu) throw new Error("this browser has no WebGPU");
  const adapter = await self.navigator.gpu.requestAdapter();
  if (!adapter) throw new Error("no graphics adapter was found");
  const { vendor = "", architecture = "", description = "", device = "", isFallbackAdapter } = adapter.info ?? {};
  const imitated = isFallbackAdapter || /swiftshader|llvmpipe|lavapipe|software/i.test(`${architecture} ${description} ${device}`);
  if (imitated && !software) throw new Error("only an adapter that the processor imitates was found");
  return description || `${vendor} ${architecture}`.trim() || "unnamed";
}

// The engine asks for its device itself and does not hear when that is lost.
function tellLoss() {
  const request = self.GPUAdapter.prototype.requestDevice;
  self.GPUAdapter.prototype.requestDevice = async function (...wishes) {
    const device = await request.apply(this, wishes);
    device.lost.then(({ message }) => fail(`the graphics card was lost${message ? ` (${message.trim()})` : ""}`));
    return device;
  };
}

try {
  if (name === "engine_gpu") {
    self.postMessage({ kind: "adapter", name: await graphicsCard(asked.has("software")) });
    tellLoss();
  }
  try {
    const { default: init } = await import(`${place}${name}.js?v=${version}`);
    await init({ module_or_path: new URL(`${place}${name}_bg.wasm?v=${version}`, self.location) });
  } catch (error) {
    if (!self.navigator.onLine) throw new Error("this machine is offline, and its file is not here yet");
    throw new Error(`its file is damaged or could not be loaded (${error?.message ?? error})`);
  }
} catch (error) {
  fail(error);
}
