// Serves the built explorer below a sub-path, as plainly as python3 -m http.server does, and can spoil
// answers on purpose.

import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { extname, join, normalize } from "node:path";

const types = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".wasm": "application/wasm", ".json": "application/json" };

export const SUBPATH = "/some/where/";

// `spoil(name)` may return {status, body} for a file, {cut} to end the connection, nothing, or a promise
// of one of them, which holds the answer back.
export async function serve(folder) {
  const site = { requests: [], spoil: () => undefined };
  const server = createServer(async (request, response) => {
    const path = decodeURIComponent(new URL(request.url, "http://localhost").pathname);
    site.requests.push(path);
    const name = path.startsWith(SUBPATH) ? normalize(path.slice(SUBPATH.length) || "index.html") : "..";
    const spoiled = await site.spoil(name);
    if (spoiled?.cut) return request.socket.destroy();
    if (spoiled) {
      response.writeHead(spoiled.status ?? 200, { "content-type": "application/json" });
      return response.end(spoiled.body ?? "");
    }
    try {
      if (name.startsWith("..")) throw new Error("outside");
      const bytes = await readFile(join(folder, name));
      response.writeHead(200, { "content-type": types[extname(name)] ?? "application/octet-stream", "content-length": bytes.length });
      response.end(bytes);
    } catch {
      response.writeHead(404).end("not found");
    }
  });
  await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
  site.address = `http://127.0.0.1:${server.address().port}${SUBPATH}`;
  site.stop = () => server.close();
  return site;
}
