import { once } from "node:events";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";
import { SMTPServer, type SMTPServerOptions } from "smtp-server";
import { systemIo } from "../../src/io/system.ts";

const real = systemIo();

interface Received {
  readonly url: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

/** A server on this machine that keeps what is posted to it. `answers` are the statuses of the next answers; 201 after them. */
export async function collector(t: TestContext): Promise<{ url: string; received: Received[]; answers: number[] }> {
  const received: Received[] = [];
  const answers: number[] = [];
  const { port, close } = await real.listen({ host: "127.0.0.1", port: 0 }, async ({ url, headers, body }) => {
    const pieces: Uint8Array[] = [];
    for await (const piece of body) pieces.push(piece);
    received.push({ url, headers, text: Buffer.concat(pieces).toString("utf8") });
    return { status: answers.shift() ?? 201, body: "{}" };
  });
  t.after(close);
  return { url: `http://127.0.0.1:${port}`, received, answers };
}

/** An SMTP server on this machine that keeps the messages it takes. */
export async function mailServer(t: TestContext, options: SMTPServerOptions = {}) {
  const mails: { user: string | undefined; to: string[]; text: string }[] = [];
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ["STARTTLS"],
    allowInsecureAuth: true,
    onAuth: ({ username, password }, _, done) =>
      password === "swordfish" ? done(null, { user: username ?? "" }) : done(new Error("wrong password")),
    onData(stream, { envelope, user }, done) {
      let text = "";
      stream.setEncoding("utf8").on("data", (piece: string) => {
        text += piece;
      });
      stream.on("end", () => {
        mails.push({
          user: user === undefined ? undefined : String(user),
          to: envelope.rcptTo.map((to) => to.address),
          text,
        });
        done();
      });
    },
    ...options,
  });
  server.on("error", () => {}); // a client that goes away
  server.listen(0, "127.0.0.1");
  await once(server.server, "listening");
  t.after(() => server.close());
  const { port } = server.server.address() as AddressInfo;
  return { url: `smtp://127.0.0.1:${port}`, mails };
}
