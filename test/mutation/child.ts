import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Answer, Request, Setup } from "./worker.ts";

/** Thrown when a worker ends or does not answer in time. */
export class WorkerLost extends Error {
  readonly late: boolean;

  constructor(late: boolean, detail: string) {
    super(detail);
    this.late = late;
  }
}

const LOAD_MILLISECONDS = 180_000;

/** A worker process, which is restarted after it is lost. */
export class Child {
  readonly #setup: Setup;
  #process: ChildProcess | undefined;
  tests: readonly { file: string; name: string }[] = [];
  loadHits: readonly number[] = [];

  constructor(setup: Setup) {
    this.#setup = setup;
  }

  async #start(): Promise<void> {
    const script = fileURLToPath(new URL("./worker.ts", import.meta.url));
    this.#process = fork(script, [], {
      cwd: this.#setup.root,
      execArgv: ["--no-warnings", "--max-old-space-size=2048"],
      stdio: ["ignore", "ignore", "pipe", "ipc"],
      serialization: "advanced",
    });
    const answer = await this.#exchange({ kind: "load", setup: this.#setup }, LOAD_MILLISECONDS);
    if (answer.kind !== "loaded") throw new Error("the worker did not load");
    this.tests = answer.tests;
    this.loadHits = answer.hits;
  }

  /**
   * Sends a request to the worker.
   *
   * @throws WorkerLost when it ends or does not answer in time; the next request starts a new one
   */
  async ask<Kind extends Answer["kind"]>(
    request: Request,
    kind: Kind,
    milliseconds: number,
  ): Promise<Extract<Answer, { kind: Kind }>> {
    if (!this.#process) await this.#start();
    const answer = await this.#exchange(request, milliseconds);
    if (answer.kind !== kind) throw new Error(`the worker answered ${answer.kind} instead of ${kind}`);
    return answer as Extract<Answer, { kind: Kind }>;
  }

  /** Starts the worker; afterwards `tests` is known. */
  async load(): Promise<void> {
    if (!this.#process) await this.#start();
  }

  stop(): void {
    this.#process?.kill("SIGKILL");
    this.#process = undefined;
  }

  #exchange(request: Request, milliseconds: number): Promise<Answer> {
    const child = this.#process as ChildProcess;
    let said = "";
    child.stderr?.removeAllListeners("data");
    child.stderr?.on("data", (data: Buffer) => {
      said = (said + data.toString()).slice(-2000);
    });
    return new Promise((done, fail) => {
      const end = (settle: () => void) => {
        clearTimeout(timer);
        child.removeAllListeners("message").removeAllListeners("exit");
        settle();
      };
      const lost = (late: boolean, detail: string) =>
        end(() => {
          this.stop();
          fail(new WorkerLost(late, detail));
        });
      const timer = setTimeout(() => lost(true, `no answer within ${milliseconds} ms`), milliseconds);
      child.once("message", (answer: Answer) => end(() => done(answer)));
      child.once("exit", (code) => lost(false, `the worker ended with ${code}: ${said}`));
      child.send(request);
    });
  }
}
