import { execFileSync } from "node:child_process";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { knock, serve, temporary } from "./support.ts";

describe("who may ask", () => {
  test("without the token nothing is answered, whatever is asked", async () => {
    const { raw } = await serve();
    for (const path of [
      "/api",
      "/api/contents",
      "/api/kernels",
      "/lab",
      "/lab/tree/x",
      "/",
      "/files/x",
      "/static/app/main.js",
      "/nothing",
    ])
      expect([path, (await raw("GET", path)).status]).toEqual([path, 403]);
    expect((await raw("POST", "/api/kernels")).status).toBe(403);
  });

  test("a wrong token is refused, as header, query and cookie", async () => {
    const { raw, server } = await serve();
    const wrong = server.token.replace(/.$/, (last) => (last === "0" ? "1" : "0"));
    expect((await raw("GET", "/api", { authorization: `token ${wrong}` })).status).toBe(403);
    expect((await raw("GET", "/api", { authorization: `Basic ${server.token}` })).status).toBe(403);
    expect((await raw("GET", `/api?token=${wrong}`)).status).toBe(403);
    expect((await raw("GET", "/api?token=")).status).toBe(403);
    expect((await raw("GET", "/api", { cookie: `thalweg-${server.port}=${server.token}` })).status).toBe(403);
    expect((await raw("GET", "/api", { authorization: `token ${server.token}` })).status).toBe(200);
    expect((await raw("GET", "/api", { authorization: `Bearer ${server.token}` })).status).toBe(200);
  });

  test("the token of one server does not open another", async () => {
    const [one, other] = [await serve(), await serve()];
    expect((await one.raw("GET", "/api", { authorization: `token ${other.server.token}` })).status).toBe(403);
    expect((await one.raw("GET", "/api", { cookie: other.cookie })).status).toBe(403);
  });

  test("the token leaves the address at once and becomes a cookie that no script reads", async () => {
    const { raw, server, cookie } = await serve();
    const first = await raw("GET", `/lab/tree/a%20b.ipynb?token=${server.token}`);
    expect(first.status).toBe(200);
    expect(first.text).toContain("url=/lab/tree/a%20b.ipynb");
    expect(first.text).not.toContain(server.token);
    expect(first.headers["set-cookie"]).toHaveLength(1);
    expect(String(first.headers["set-cookie"])).toMatch(/; HttpOnly; SameSite=Strict; Path=\/$/);
    expect(first.headers["referrer-policy"]).toBe("no-referrer");
    expect(cookie).not.toContain(server.token);
    expect((await raw("GET", "/api", { cookie })).status).toBe(200);
  });

  test("a name that is not this machine's is refused, though it resolves to it", async () => {
    const { raw, server, cookie } = await serve();
    const token = { authorization: `token ${server.token}` };
    for (const host of [
      `evil.example:${server.port}`,
      "evil.example",
      `127.0.0.1.evil.example:${server.port}`,
      "127.0.0.1",
      "",
    ]) {
      expect((await raw("GET", "/api", { host, cookie })).status).toBe(421);
      expect((await raw("GET", "/api", { host, ...token })).status).toBe(421);
    }
    expect((await raw("GET", "/api", { host: `localhost:${server.port}`, cookie })).status).toBe(200);
  });

  test("a page of another site may neither read nor write, with the cookie in its hand", async () => {
    const { raw, server, cookie } = await serve();
    const own = `http://127.0.0.1:${server.port}`;
    const json = { "content-type": "application/json" };
    for (const origin of [
      "https://evil.example",
      "null",
      `http://127.0.0.1:${server.port + 1}`,
      `https://127.0.0.1:${server.port}`,
      `${own}.evil.example`,
    ]) {
      expect((await raw("GET", "/api/contents", { cookie, origin })).status).toBe(403);
      expect((await raw("POST", "/api/kernels", { cookie, origin, ...json }, "{}")).status).toBe(403);
    }
    expect((await raw("GET", "/api/contents", { cookie, "sec-fetch-site": "cross-site" })).status).toBe(403);
    expect((await raw("GET", "/api/contents", { cookie, "sec-fetch-site": "same-site" })).status).toBe(403);
    expect((await raw("POST", "/api/contents", { cookie, ...json }, "{}")).status).toBe(403);
    const answer = await raw("POST", "/api/contents", { cookie, origin: own, ...json }, '{"type":"directory"}');
    expect(answer.status).toBe(201);
    expect(answer.headers["access-control-allow-origin"]).toBeUndefined();
    expect((await raw("OPTIONS", "/api/contents", { cookie, origin: own })).status).toBe(405);
  });

  test("a form cannot write: a page must send JSON and say so", async () => {
    const { raw, server, cookie } = await serve();
    const origin = `http://127.0.0.1:${server.port}`;
    for (const type of ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
      expect(
        (await raw("POST", "/api/contents", { cookie, origin, "content-type": type }, '{"type":"notebook"}')).status,
      ).toBe(415);
    expect((await raw("GET", "/api/contents", { cookie })).json.content).toEqual([]);
  });

  test("a WebSocket needs the cookie and our page, or the token said outright", async () => {
    const { server, cookie } = await serve();
    const path = "/api/events/subscribe";
    const own = `http://127.0.0.1:${server.port}`;
    expect(await knock(server, path, {})).toBe(403);
    expect(await knock(server, path, { origin: own })).toBe(403);
    expect(await knock(server, path, { cookie })).toBe(403);
    expect(await knock(server, path, { cookie, origin: "https://evil.example" })).toBe(403);
    expect(await knock(server, path, { authorization: `token ${server.token}`, origin: "https://evil.example" })).toBe(
      403,
    );
    expect(await knock(server, path, { cookie, origin: own, host: `evil.example:${server.port}` })).toBe(421);
    expect(await knock(server, path, { cookie, origin: own })).toBe("open");
    expect(await knock(server, path, { authorization: `token ${server.token}` })).toBe("open");
    expect(await knock(server, `${path}?token=${server.token}`, {})).toBe("open");
    expect(await knock(server, "/api/kernels/none/channels", { cookie, origin: own })).toBe(404);
  });

  test("nothing but this machine reaches it", async () => {
    const { server } = await serve();
    const others = Object.values(networkInterfaces())
      .flat()
      .filter((address) => address && !address.internal && address.family === "IPv4");
    for (const { address } of others as { address: string }[]) {
      const reached = await new Promise((resolve) => {
        const socket = connect({ host: address, port: server.port, timeout: 1000 });
        socket
          .once("connect", () => resolve(true))
          .once("error", () => resolve(false))
          .once("timeout", () => resolve(false));
        socket.once("close", () => socket.destroy());
      });
      expect([address, reached]).toEqual([address, false]);
    }
  });

  test("addresses that are not well formed are answered, not fatal", async () => {
    const { raw, server } = await serve();
    const headers = { authorization: `token ${server.token}` };
    for (const path of [
      "//",
      "//evil.example/lab",
      "/api/contents/%E0%A4%A",
      "/lab/tree/%",
      "/api/contents/a%00b",
      "http://evil.example/",
    ])
      expect((await raw("GET", path, headers)).status).toBeGreaterThanOrEqual(200);
    expect((await raw("GET", "/api", headers)).status).toBe(200);
  });
});

describe("what may be reached", () => {
  test("no path leads out of the folder", async () => {
    const outside = temporary();
    writeFileSync(join(outside, "secret.txt"), "secret");
    const { ask, root } = await serve();
    writeFileSync(join(root, "..", "thalweg-beside.txt"), "secret");
    const tries = [
      "../thalweg-beside.txt",
      "..%2Fthalweg-beside.txt",
      "%2e%2e/thalweg-beside.txt",
      "%2e%2e%2fthalweg-beside.txt",
      "..%5Cthalweg-beside.txt",
      "a/../../thalweg-beside.txt",
      "a%2f..%2f..%2fthalweg-beside.txt",
      "/etc/passwd",
      "%2Fetc%2Fpasswd",
    ];
    execFileSync("mkdir", ["-p", join(root, "a")]);
    for (const path of tries)
      for (const api of ["/api/contents/", "/files/", "/static/app/", "/static/"]) {
        const answer = await ask("GET", api + path);
        expect([api + path, answer.status, answer.text.includes("secret")]).toEqual([api + path, 404, false]);
      }
    const put = await ask("PUT", "/api/contents/..%2Fthalweg-made.txt", { type: "file", format: "text", content: "x" });
    expect(put.status).toBe(404);
    writeFileSync(join(root, "in.txt"), "x");
    expect((await ask("PATCH", "/api/contents/in.txt", { path: "../thalweg-moved.txt" })).status).toBe(404);
    expect((await ask("POST", "/api/contents", { copy_from: "../thalweg-beside.txt" })).status).toBe(404);
    expect((await ask("POST", "/api/contents", { type: "file", ext: "/../../x" })).status).toBe(400);
    execFileSync("rm", [join(root, "..", "thalweg-beside.txt")]);
  });

  test("a link that leads out is not followed, to read or to write; one that stays inside is", async () => {
    const outside = temporary();
    writeFileSync(join(outside, "secret.txt"), "secret");
    const { ask, root } = await serve();
    mkdirSync(join(root, "data"));
    writeFileSync(join(root, "data", "in.txt"), "inside");
    symlinkSync(outside, join(root, "folder"));
    symlinkSync(join(outside, "secret.txt"), join(root, "file.txt"));
    symlinkSync(join(outside, "new.txt"), join(root, "dangling.txt"));
    symlinkSync(join(root, "data", "in.txt"), join(root, "good.txt"));
    for (const path of ["folder", "folder/secret.txt", "file.txt"])
      expect((await ask("GET", `/api/contents/${path}`)).status).toBe(404);
    for (const path of ["folder/made.txt", "file.txt"])
      expect((await ask("PUT", `/api/contents/${path}`, { type: "file", format: "text", content: "x" })).status).toBe(
        404,
      );
    // A link to nothing is replaced by a file, not written through.
    await ask("PUT", "/api/contents/dangling.txt", { type: "file", format: "text", content: "x" });
    expect(execFileSync("ls", [outside]).toString()).toBe("secret.txt\n");
    expect((await ask("GET", "/api/contents/good.txt")).json.content).toBe("inside");
    const names = (await ask("GET", "/api/contents")).json.content.map(({ name }: { name: string }) => name);
    expect(names.sort()).toEqual(["dangling.txt", "data", "good.txt"]);
  });

  test("hidden files have no path", async () => {
    const { ask, root } = await serve();
    writeFileSync(join(root, ".env"), "secret");
    for (const path of ["/api/contents/.env", "/files/.env"]) expect((await ask("GET", path)).status).toBe(404);
    expect((await ask("PUT", "/api/contents/.env", { type: "file", format: "text", content: "x" })).status).toBe(404);
  });

  test("a file that is looked at gets no rights in our name, and a script in the folder is no script", async () => {
    const { ask, root } = await serve();
    writeFileSync(join(root, "evil.js"), "alert(1)");
    expect((await ask("GET", "/files/evil.js")).headers["content-type"]).toBe("text/plain; charset=utf-8");
    writeFileSync(join(root, "evil.html"), "<script>fetch('/api/kernels',{method:'POST'})</script>");
    writeFileSync(join(root, "evil.svg"), '<svg xmlns="http://www.w3.org/2000/svg"><script>1</script></svg>');
    for (const name of ["evil.html", "evil.svg"]) {
      const { headers } = await ask("GET", `/files/${name}`);
      expect(headers["content-security-policy"]).toBe("default-src 'none'; sandbox");
      expect(headers["x-content-type-options"]).toBe("nosniff");
    }
  });

  test("the page may run the scripts of the bundle only, and nobody may frame it", async () => {
    const app = temporary();
    writeFileSync(join(app, "page.json"), '{"scripts":["app/main.js"]}');
    writeFileSync(join(app, "schemas.json"), "[]");
    const { raw, cookie, server } = await serve({ app });
    const { headers, text } = await raw("GET", "/lab/tree/%3C%2Fscript%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E", {
      cookie,
    });
    const rules = String(headers["content-security-policy"]).split("; ");
    expect(rules).toContain(`script-src http://127.0.0.1:${server.port}/static/app/`);
    expect(rules).toContain("default-src 'none'");
    expect(rules).toContain("frame-ancestors 'none'");
    expect(String(headers["content-security-policy"])).not.toMatch(/unsafe-eval|\*/);
    // What comes from the address cannot end the configuration and begin a script.
    expect(text).not.toContain("<script>alert");
  });
});
