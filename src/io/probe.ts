import { ipVersion } from "../format/ip-address.ts";

/** How long a server may take to answer a greeting. Milliseconds. */
const MAX_WAIT = 10_000;

/** The first byte of a TLS record that answers a ClientHello: handshake or alert (RFC 8446 §5.1). */
const TLS_ANSWERS = new Set([0x16, 0x15]);

/**
 * Returns a function that reports whether a server uses TLS, asking each server once. It sends a ClientHello and looks at the
 * first byte of the answer, so it needs no certificates and finds TLS also where the handshake would fail. A server that does
 * not answer, hangs up or cannot be reached does not use TLS.
 */
export function tlsProbe(): (server: URL, signal: AbortSignal) => Promise<boolean> {
  const known = new Map<string, Promise<boolean>>();
  return async (server, signal) => {
    const asked = known.get(server.host) ?? askServer(server, signal);
    known.set(server.host, asked);
    const answer = await asked;
    if (signal.aborted) known.delete(server.host); // that was not the server's answer
    return answer;
  };
}

function askServer({ hostname, port }: URL, signal: AbortSignal): Promise<boolean> {
  const host = hostname.replace(/^\[|\]$/g, "");
  return new Promise((done) => {
    const settle = (usesTls: boolean) => {
      signal.removeEventListener("abort", stop);
      clearTimeout(timer);
      done(usesTls);
      connection.then((opened) => opened?.close());
    };
    const stop = () => settle(false);
    const timer = setTimeout(stop, MAX_WAIT);
    signal.addEventListener("abort", stop);
    const connection = connectTo({ host, port: Number(port || 443) }, clientHello(host), {
      answered: (byte) => settle(TLS_ANSWERS.has(byte)),
      ended: stop,
    });
    if (signal.aborted) stop();
  });
}

/** What happens on a connection: its first byte came, or it ended, or was not opened. */
interface Events {
  answered(byte: number): void;
  ended(): void;
}

type Connect = (
  server: { host: string; port: number },
  greeting: Uint8Array,
  events: Events,
) => Promise<{ close(): void } | undefined>;

const connectByNode: Connect = async (server, greeting, { answered, ended }) => {
  const { connect } = await import("node:net");
  const socket = connect(server);
  socket.on("connect", () => socket.write(greeting));
  socket.once("data", (answer: Buffer) => answered(answer[0] ?? 0));
  socket.on("error", ended).on("close", ended);
  return { close: () => socket.destroy() };
};

interface BunSocket {
  write(data: Uint8Array): number;
  terminate(): void;
}

/** Bun's own sockets, because loading node:net takes 10 ms on Bun. */
const { Bun } = globalThis as { Bun?: { connect(options: object): Promise<BunSocket> } };
const connectByBun: Connect = async ({ host, port }, greeting, { answered, ended }) => {
  const socket = {
    open: (opened: BunSocket) => void opened.write(greeting),
    data: (_: BunSocket, answer: Uint8Array) => answered(answer[0] ?? 0),
    end: ended,
    close: ended,
    error: ended,
    connectError: ended,
  };
  const opened = await Bun?.connect({ hostname: host, port, socket }).catch(ended);
  return opened ? { close: () => opened.terminate() } : undefined;
};

const connectTo = Bun ? connectByBun : connectByNode;

type Part = Uint8Array | readonly number[];

/** A value with its length before it, as TLS vectors are written (RFC 8446 §3.4). */
function vector(lengthBytes: number, ...parts: readonly Part[]): Buffer {
  const content = Buffer.concat(parts.map((part) => Uint8Array.from(part)));
  const length = Buffer.alloc(lengthBytes);
  length.writeUIntBE(content.length, 0, lengthBytes);
  return Buffer.concat([length, content]);
}

const extension = (type: number, content: Uint8Array) => Buffer.concat([Buffer.from([0, type]), vector(2, content)]);

/** A ClientHello for TLS 1.2 and 1.3 (RFC 8446 §4.1.2) with the usual suites, and the name of a server that has one. */
function clientHello(host: string): Buffer {
  const suites = [
    0x13, 0x01, 0x13, 0x02, 0x13, 0x03, 0xc0, 0x2b, 0xc0, 0x2f, 0xc0, 0x2c, 0xc0, 0x30, 0x00, 0x9c, 0x00, 0x2f,
  ];
  const name = extension(0, vector(2, Buffer.concat([Buffer.from([0]), vector(2, Buffer.from(host))])));
  const extensions = [
    ...(ipVersion(host) === 0 ? [name] : []),
    extension(10, vector(2, [0x00, 0x1d, 0x00, 0x17, 0x00, 0x18])), // groups: X25519, P-256, P-384
    extension(11, vector(1, [0])), // uncompressed points
    extension(13, vector(2, [0x04, 0x03, 0x08, 0x04, 0x04, 0x01, 0x05, 0x03, 0x08, 0x05, 0x05, 0x01, 0x08, 0x07])),
    extension(43, vector(1, [0x03, 0x04, 0x03, 0x03])), // versions: 1.3, 1.2
    extension(51, vector(2, [])), // no key share: a 1.3 server asks for one
  ];
  const random = crypto.getRandomValues(new Uint8Array(32));
  const hello: readonly Part[] = [
    [0x03, 0x03],
    random,
    vector(1, []),
    vector(2, suites),
    vector(1, [0]),
    vector(2, ...extensions),
  ];
  const handshake = Buffer.concat([Buffer.from([0x01]), vector(3, ...hello)]);
  return Buffer.concat([Buffer.from([0x16, 0x03, 0x01]), vector(2, handshake)]);
}
