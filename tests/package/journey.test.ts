import { spawn, spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { missing, root, type Stranger, stranger } from "./stranger.ts";

const readme = readFileSync(join(root, "README.md"), "utf8");
/** The README's program; and with one epoch and one seed, where only its way is tried. */
const program = /## A program\s+```ts\n([\s\S]*?)```/.exec(readme)![1]!;
const quick = program.replace("epochs: 10", "epochs: 1").replace("seeds: 3", "seeds: 1");

/** Bytes on disk of a folder. */
function bytes(folder: string): number {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return files.reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);
}

describe.skipIf(missing !== "")(
  `the package in an empty folder${missing === "" ? "" : ` (skipped: ${missing})`}`,
  { timeout: 300_000 },
  () => {
    let there: Stranger;
    const inside = (...path: string[]) => join(there.folder, ...path);
    const write = (name: string, text: string) => writeFileSync(inside(name), text);
    beforeAll(() => {
      there = stranger();
    }, 600_000);
    afterAll(() => there?.remove());

    test("installs with scripts from the npm registry alone, in at most 250 MB, with the binding of this machine and no other", () => {
      expect(there.refused).toBe("");
      expect(existsSync(inside("node_modules/onnxruntime-node"))).toBe(false);
      const native = "node_modules/thalweg/dist/native/bin/napi-v6";
      expect(readdirSync(inside(native))).toEqual([process.platform]);
      expect(readdirSync(inside(native, process.platform))).toEqual([process.arch]);
      expect(readFileSync(inside("node_modules/thalweg/dist/native/LICENSE.txt"), "utf8")).toContain("MIT License");
      // tsx is the program's own.
      const tsx = ["tsx", "esbuild", "@esbuild"].reduce((sum, name) => sum + bytes(inside("node_modules", name)), 0);
      const megabytes = (bytes(inside("node_modules")) - tsx) / 1e6;
      const own = bytes(inside("node_modules/thalweg")) / 1e6;
      console.log(`installed: ${megabytes.toFixed(0)} MB, of which ${own.toFixed(0)} MB thalweg`);
      expect(megabytes).toBeLessThanOrEqual(250);
    });

    test("the README's program prints under tsx what the README says, and nothing else", () => {
      write("program.ts", program);
      const printed = there.run("npx", ["tsx", "program.ts"]);
      expect(printed).toMatch(/^method /);
      expect(readme).toContain(printed);
    });

    test.each([
      ["nodenext", "nodenext"],
      ["bundler", "esnext"],
    ])("it compiles in strict mode with %s resolution, and runs under node", (moduleResolution, module) => {
      write("quick.ts", quick);
      const compilerOptions = {
        target: "es2023",
        module,
        moduleResolution,
        strict: true,
        types: [],
        outDir: moduleResolution,
      };
      write(
        "tsconfig.json",
        JSON.stringify({ compilerOptions: { ...compilerOptions, skipLibCheck: true }, files: ["quick.ts"] }),
      );
      there.run("npx", ["tsc"]);
      expect(there.run("node", [`${moduleResolution}/quick.js`])).toBe(there.run("npx", ["tsx", "quick.ts"]));
    });

    test.for(["bun", "deno"])("it runs under %s as under node, where that is there", (runtime, { skip }) => {
      skip(spawnSync(runtime, ["--version"]).status !== 0, `${runtime} is not on this machine`);
      write("quick.ts", quick);
      const flags = runtime === "deno" ? ["run", "--allow-all", "--node-modules-dir=manual"] : [];
      expect(there.run(runtime, [...flags, "quick.ts"])).toBe(there.run("npx", ["tsx", "quick.ts"]));
    });

    test("import takes what it takes, which is said, and loads no compiler, no sockets and no drawing program", () => {
      write(
        "start.js",
        `const began = performance.now();
        await import("thalweg");
        const took = performance.now() - began;
        const { cache } = (await import("node:module")).createRequire(import.meta.url);
        console.log(JSON.stringify({ took, loaded: Object.keys(cache) }));`,
      );
      const { took, loaded } = JSON.parse(there.run("node", ["start.js"])) as { took: number; loaded: string[] };
      console.log(`import "thalweg": ${took.toFixed(0)} ms on this machine, which does other things too`);
      const packages = new Set(loaded.map((file) => /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file)?.[1]));
      expect([...packages].filter((name) => /^(typescript|@swc|plotly|zeromq|esbuild|tsx)/.test(name ?? ""))).toEqual(
        [],
      );
      expect(packages).toContain("@tensorflow/tfjs-core");
    });

    test("its own declarations have no error, also where the libraries' are checked", () => {
      write("quick.ts", quick);
      const options: ts.CompilerOptions = {
        target: ts.ScriptTarget.ES2023,
        module: ts.ModuleKind.NodeNext,
        strict: true,
        noEmit: true,
        types: [],
      };
      const checked = ts.createProgram([inside("quick.ts")], options);
      const found = ts.getPreEmitDiagnostics(checked).map(({ file }) => file?.fileName ?? "");
      expect(found.filter((file) => /quick\.ts$|node_modules\/thalweg\//.test(file))).toEqual([]);
    });

    test("an editor explains its names, and what a stream does not tell is an error", () => {
      write(
        "editor.ts",
        'import { classes, digits, ewc } from "thalweg";\nexport const stream = classes(digits()).split(5).by(ewc());\n',
      );
      const file = inside("editor.ts");
      const host: ts.LanguageServiceHost = {
        getCompilationSettings: () => ({
          module: ts.ModuleKind.NodeNext,
          target: ts.ScriptTarget.ES2023,
          strict: true,
          types: [],
          skipLibCheck: true,
        }),
        getScriptFileNames: () => [file],
        getScriptVersion: () => "1",
        getScriptSnapshot: (name) =>
          existsSync(name) ? ts.ScriptSnapshot.fromString(readFileSync(name, "utf8")) : undefined,
        getCurrentDirectory: () => there.folder,
        getDefaultLibFileName: ts.getDefaultLibFilePath,
        fileExists: ts.sys.fileExists,
        readFile: ts.sys.readFile,
        readDirectory: ts.sys.readDirectory,
        directoryExists: ts.sys.directoryExists,
        getDirectories: ts.sys.getDirectories,
        realpath: ts.sys.realpath!,
      };
      const service = ts.createLanguageService(host);
      const text = readFileSync(file, "utf8");
      const hover = (name: string) =>
        ts.displayPartsToString(service.getQuickInfoAtPosition(file, text.lastIndexOf(name))?.documentation);
      expect(hover("ewc")).toMatch(/^Elastic weight consolidation: .*\n\nAdds/s);
      expect(hover("classes")).toMatch(/^A stream of one experience/);
      expect(hover("split")).not.toBe("");
      expect(service.getSemanticDiagnostics(file)).toHaveLength(1); // a stream has no `by`: a study has
    });

    test("parts are imported by their folders and are the same; TensorFlow.js and arquero are the program's own", () => {
      write(
        "parts.js",
        `import * as all from "thalweg";
        import { ewc } from "thalweg/strategies";
        import { split } from "thalweg/streams/operators";
        import * as tf from "@tensorflow/tfjs-core";
        import { ColumnTable, op } from "arquero";
        const frame = await all.classes(all.blobs({ classes: 2 })).learn(all.mlp({ hidden: [4] })).by(all.naive()).run().then((run) => run.frame());
        const mean = frame.rollup({ mean: op.mean("accuracy") });
        console.log(JSON.stringify([ewc === all.ewc, split === all.operators.split, tf.add === all.tf.add, frame instanceof ColumnTable, mean.numRows(), all.engine.device]));`,
      );
      expect(JSON.parse(there.run("node", ["parts.js"]).trim().split("\n").at(-1)!)).toEqual([
        true,
        true,
        true,
        true,
        1,
        "cpu",
      ]);
    });

    test("several workers train the runs of several seeds", () => {
      write(
        "workers.js",
        `import { blobs, classes, mlp, naive } from "thalweg";
        const study = classes(blobs({ classes: 2 })).learn(mlp({ hidden: [4] })).by(naive());
        const [one, two] = [await study.run({ seeds: 2 }), await study.run({ seeds: 2, workers: 2 })];
        console.log(one.frame().toText() === two.frame().toText());`,
      );
      expect(there.run("node", ["workers.js"])).toMatch(/true\s*$/);
    });

    test("npx thalweg runs a notebook: values are shown, types are known, the library's names are there", () => {
      const cell = (source: string) => ({
        cell_type: "code",
        source,
        metadata: {},
        outputs: [],
        execution_count: null,
      });
      const cells = [
        "const stream = classes(digits()).split(5)",
        "stream.length",
        "const n: string = stream.length",
      ].map(cell);
      const metadata = {
        kernelspec: { name: "thalweg", display_name: "TypeScript (Thalweg)", language: "typescript" },
      };
      write("own.ipynb", JSON.stringify({ nbformat: 4, nbformat_minor: 5, metadata, cells }));
      there.run("npx", ["thalweg", "run", "own.ipynb", "--html"]);
      const ran = JSON.parse(readFileSync(inside("out/own.ipynb"), "utf8"));
      expect(JSON.stringify(ran.cells[1].outputs)).toContain('"text/plain":["5"]');
      expect(JSON.stringify(ran.cells[2].outputs)).toContain("TS2322");
      expect(readFileSync(inside("out/own.html"), "utf8")).toContain("</html>");
    });

    test("npx thalweg install gives Jupyter a kernel that is there", () => {
      there.run("npx", ["thalweg", "install"], { JUPYTER_DATA_DIR: inside("jupyter") });
      const { argv } = JSON.parse(readFileSync(inside("jupyter/kernels/thalweg/kernel.json"), "utf8"));
      expect(argv.slice(2)).toEqual(["kernel", "{connection_file}"]);
      expect(argv.slice(0, 2).map(existsSync)).toEqual([true, true]);
      const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
      expect(there.run(argv[0], [argv[1], "--version"]).trim()).toBe(version);
    });

    test("npx thalweg notebook serves the page that comes along", async () => {
      const child = spawn("npx", ["thalweg", "notebook", "own.ipynb", "--no-open"], {
        cwd: there.folder,
        stdio: ["ignore", "pipe", "pipe"],
        detached: true,
      });
      try {
        const url = await new Promise<string>((resolve, reject) => {
          let said = "";
          for (const stream of [child.stdout, child.stderr])
            stream.on("data", (chunk) => {
              said += String(chunk);
              const found = /http:\/\/\S+token=\w+/.exec(said);
              if (found) resolve(found[0]);
            });
          child.once("exit", () => reject(new Error(said)));
        });
        const welcome = await fetch(url);
        const headers = { cookie: welcome.headers.get("set-cookie")!.split(";")[0]! };
        const page = await (await fetch(url.replace(/[?&]token=\w+/, ""), { headers })).text();
        const script = /<script[^>]+src="([^"]+)"/.exec(page)![1]!;
        const answer = await fetch(new URL(script, url), { headers });
        expect([answer.status, (await answer.text()).length > 1e6]).toEqual([200, true]);
      } finally {
        process.kill(-child.pid!, "SIGTERM");
      }
    });
  },
);
