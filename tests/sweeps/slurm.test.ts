import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { clients, digits, mlp, runMany, sgd, simulate, slurm, store, type TrainEvent, turnsOn } from "thalweg";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { checkpoints } from "../../lib/runs/record.ts";
import { inTurn } from "../../lib/sweeps/cells.ts";
import { runFolders, small, temporary, timeless } from "../runs/support.ts";

const { folder, clear } = temporary();

function has(...commands: string[]): boolean {
  try {
    for (const command of commands) execFileSync("/bin/sh", ["-c", `PATH=$PATH:/usr/sbin; command -v ${command}`]);
    return true;
  } catch {
    return false;
  }
}

// Slurm's daemons change users, so that they need root. Debian: apt-get install slurmctld slurmd slurm-client munge
const real = process.getuid?.() === 0 && has("slurmctld", "slurmd", "sbatch", "munged");

/** The daemons of a cluster of one machine, in the order in which they are to be stopped. */
const daemons: ChildProcess[] = [];

async function cluster(): Promise<void> {
  const at = join(folder, "slurm");
  for (const name of ["state", "spool", "log", "munge"]) mkdirSync(join(at, name), { recursive: true });
  chmodSync(folder, 0o755);
  chmodSync(join(at, "munge"), 0o755);
  const key = join(at, "munge", "key");
  writeFileSync(key, Buffer.alloc(128, "thalweg"), { mode: 0o400 });
  const socket = join(at, "munge", "socket");
  const host = hostname().split(".")[0]!;
  const [control, daemon] = [20_000 + (process.pid % 20_000), 20_001 + (process.pid % 20_000)];
  const config = `
ClusterName=test
SlurmctldHost=${host}(127.0.0.1)
SlurmctldAddr=127.0.0.1
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=${socket}
CryptoType=crypto/munge
SlurmctldPort=${control}
SlurmdPort=${daemon}
SlurmctldPidFile=${at}/slurmctld.pid
SlurmdPidFile=${at}/slurmd.pid
SlurmdSpoolDir=${at}/spool
StateSaveLocation=${at}/state
SlurmctldLogFile=${at}/log/slurmctld
SlurmdLogFile=${at}/log/slurmd
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
MpiDefault=none
ReturnToService=2
SchedulerParameters=batch_sched_delay=0,sched_interval=1
KillWait=20
NodeName=${host} NodeAddr=127.0.0.1 CPUs=2 State=UNKNOWN
PartitionName=short Nodes=${host} Default=YES MaxTime=10 State=UP
`;
  writeFileSync(join(at, "slurm.conf"), config);
  process.env.SLURM_CONF = join(at, "slurm.conf");
  process.env.PATH += ":/usr/sbin";
  const start = (command: string, ...args: string[]): void => {
    daemons.unshift(spawn(command, args, { stdio: "ignore" }));
  };
  start(
    "munged",
    "--foreground",
    "--force",
    `--key-file=${key}`,
    `--socket=${socket}`,
    `--pid-file=${at}/munge/pid`,
    `--log-file=${at}/munge/log`,
    `--seed-file=${at}/munge/seed`,
  );
  await until(() => execFileSync("munge", ["-n", "-S", socket], { stdio: "ignore" }));
  start("slurmctld", "-D");
  start("slurmd", "-D", "-N", host);
  await until(() => {
    const state = execFileSync("sinfo", ["-h", "-o", "%T"], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
    if (!/idle/.test(state)) throw new Error(`the node is ${state}`);
  });
}

async function until(check: () => unknown): Promise<void> {
  for (let tries = 0; ; tries++) {
    try {
      return void check();
    } catch (error) {
      if (tries > 100) throw error;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
}

describe.runIf(real)(
  "a sweep on a real Slurm of one machine",
  () => {
    beforeAll(cluster, 60_000);
    afterAll(async () => {
      for (const daemon of daemons) {
        daemon.kill("SIGTERM");
        await new Promise((resolve) => (daemon.exitCode === null ? daemon.once("exit", resolve) : resolve(undefined)));
      }
      clear();
    }, 60_000);

    test("trains each client of a simulation as a job, to the numbers of this process", async () => {
      const study = clients(digits(), { clients: 2, concentration: 5 })
        .learn(mlp({ hidden: [8] }))
        .with(sgd({ lr: 0.1 }))
        .train({ batch: 10_000 }); // in one step the order of examples makes no difference
      const crowd = simulate.clients();
      const trained = (turns: ReturnType<typeof turnsOn>) =>
        crowd.train(study, simulate.fedAvg({ rounds: 1 }), { turns });
      const executor = slurm({ partition: "short", cpus: 1, pollSeconds: 0.3 });
      const there = await trained(turnsOn(executor, { record: join(folder, "turns") }));
      const here = await trained(turnsOn(inTurn, { record: join(folder, "turns here") }));
      expect([...there.vector]).toEqual([...here.vector]);
      const plain = await crowd.train(study, simulate.fedAvg({ rounds: 1 }));
      there.vector.forEach((x, i) => {
        expect(x).toBeCloseTo(plain.vector[i]!, 5);
      });
      expect(store(join(folder, "turns")).list().numRows()).toBe(2);
    }, 120_000);

    test("gives the numbers of this process, from the folder that all share, once", async () => {
      const record = join(folder, "shared");
      const executor = slurm({ partition: "short", cpus: 1, pollSeconds: 0.3 });
      const there = await small().run({ quiet: true, record, seeds: 2, executor });
      const here = await small().run({ quiet: true, record: false, seeds: 2 });
      expect(there.logs.map(({ events }) => timeless(events))).toEqual(here.logs.map(({ events }) => timeless(events)));
      expect(store(record).list().numRows()).toBe(2);
      const again = await small().run({ quiet: true, record, seeds: 2, executor });
      expect(again.logs).toEqual(there.logs);
    });

    test("puts cells whose jobs were killed in the queue again, and they go on where they were", async () => {
      const record = join(folder, "killed");
      const long = small().train({ epochs: 60 });
      const said = vi.spyOn(process.stderr, "write").mockReturnValue(true);
      let killed = false;
      const progress = {
        begin() {},
        end() {},
        event(event: TrainEvent) {
          if (killed || event.type !== "step" || event.step < 200) return;
          killed = true;
          execFileSync("scancel", ["--signal=KILL", "--full", "--name=thalweg"]);
        },
      };
      const there = await runMany(long.spec, {
        record,
        progress,
        checkpointSeconds: 0.1,
        executor: slurm({ pollSeconds: 0.2 }),
      });
      const lines = said.mock.calls.map(([line]) => String(line)).join("");
      said.mockRestore();
      const here = await long.run({ quiet: true, record: false });
      expect(killed).toBe(true);
      expect(lines).toContain("slurm: 1 of 1 cells failed and are put in the queue again");
      expect(timeless(there.logs[0]!.events)).toEqual(timeless(here.logs[0]!.events));
    });

    test("keeps what was done when it is stopped, and goes on when it is run again", async () => {
      const record = join(folder, "stopped");
      const long = small().train({ epochs: 60 });
      const control = new AbortController();
      const progress = {
        begin() {},
        end() {},
        event: (event: TrainEvent) => void (event.type === "step" && event.step > 100 && control.abort()),
      };
      const executor = slurm({ pollSeconds: 0.2 });
      await expect(runMany(long.spec, { record, progress, signal: control.signal, executor })).rejects.toThrow(
        "slurm: stopped, and the jobs were cancelled",
      );
      expect(checkpoints(runFolders(record)[0]!).length).toBeGreaterThan(0);
      const resumed = await long.resume({ quiet: true, record, executor });
      const whole = await long.run({ quiet: true, record: false });
      expect(timeless(resumed.logs[0]!.events)).toEqual(timeless(whole.logs[0]!.events));
    });

    test("tells what a job said when it fails each time", async () => {
      const { sgd } = await import("thalweg");
      const wild = small()
        .by()
        .with(sgd({ lr: 1e20 }));
      vi.spyOn(process.stderr, "write").mockReturnValue(true);
      const failing = wild.run({
        quiet: true,
        record: join(folder, "wild"),
        executor: slurm({ pollSeconds: 0.2, retries: 1 }),
      });
      await expect(failing).rejects.toThrow(
        /slurm: .*1 that failed 2 times; the first said: fit: a finite loss is required/,
      );
      vi.restoreAllMocks();
    });
  },
  120_000,
);

describe("slurm", () => {
  test("says what is missing: a record, or Slurm itself", async () => {
    await expect(small().run({ quiet: true, record: false, executor: slurm() })).rejects.toThrow(
      "slurm: runs that are recorded are required",
    );
    const path = process.env.PATH;
    process.env.PATH = "/nowhere";
    try {
      await expect(small().run({ quiet: true, record: join(folder, "none"), executor: slurm() })).rejects.toThrow(
        "slurm: the command sbatch is required, got none",
      );
    } finally {
      process.env.PATH = path;
    }
  });

  test.skipIf(real)(
    "is tested on a real one only as root with slurmctld, slurmd, slurm-client and munge installed",
    () => {},
  );
});
