import type { Listening, ServerTls } from "../io/io.ts";

/** The certificates of a running service: replaced when their files change, and kept if the new ones cannot be used. */
export class LiveCertificates {
  readonly #read: () => Promise<ServerTls>;
  readonly #listening: Pick<Listening, "renew">;
  #current: string;
  /** What was refused, so that it is refused once: certificate and key are written one after the other. */
  #refused: string | undefined;

  /** @param read reads the files; @param now.tls what the server was opened with */
  constructor(read: () => Promise<ServerTls>, now: { tls: ServerTls; listening: Pick<Listening, "renew"> }) {
    this.#read = read;
    this.#listening = now.listening;
    this.#current = JSON.stringify(now.tls);
  }

  /**
   * Reads the files again, and uses them if they have changed.
   *
   * @returns whether they have changed
   * @throws TsignError of a file that cannot be read; of certificates that cannot be used, once for each content
   */
  async refresh(): Promise<boolean> {
    const tls = await this.#read();
    const text = JSON.stringify(tls);
    if (text === this.#current || text === this.#refused) return false;
    this.#refused = text;
    await this.#listening.renew(tls);
    this.#current = text;
    this.#refused = undefined;
    return true;
  }
}
