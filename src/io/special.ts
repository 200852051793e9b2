import { close, constants, fstatSync, openSync, read, write } from "node:fs";
import { Socket } from "node:net";
import { isatty, ReadStream } from "node:tty";
import { fileError } from "./file-errors.ts";

/** Bytes read from a device at a time. */
const DEVICE_PIECE = 64 * 1024;
/** Interval at which a pipe is checked for a reader, or for room. Milliseconds. */
const POLL = 25;

/**
 * Reads a pipe, terminal or device to its end. A pipe is opened without waiting for a writer and read by the event loop: a
 * thread blocked in open(2) or read(2) could not be stopped and would keep the process from ending.
 */
export async function* readSpecial(path: string, absolute: string): AsyncGenerator<Uint8Array> {
  let file: number;
  try {
    file = openSync(absolute, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  } catch (cause) {
    throw fileError("read", path, cause);
  }
  try {
    if (isatty(file)) return yield* new ReadStream(file);
    if (fstatSync(file).isFIFO()) return yield* readPipe(file);
    yield* readDevice(file);
  } catch (cause) {
    throw fileError("read", path, cause);
  }
}

/** Bun, whose net.Socket does not read pipes, has a stream that does. */
const { Bun } = globalThis as { Bun?: { file(descriptor: number): { stream(): AsyncIterable<Uint8Array> } } };

function readPipe(file: number): AsyncIterable<Uint8Array> {
  return Bun ? Bun.file(file).stream() : new Socket({ fd: file, readable: true, writable: false });
}

/** Reads a device that never blocks, such as /dev/zero. */
async function* readDevice(file: number): AsyncGenerator<Uint8Array> {
  try {
    for (;;) {
      const buffer = Buffer.allocUnsafeSlow(DEVICE_PIECE);
      const length = await new Promise<number>((done, fail) => {
        read(file, buffer, 0, buffer.length, null, (error, count) => (error ? fail(error) : done(count)));
      });
      if (length === 0) return;
      yield buffer.subarray(0, length);
    }
  } finally {
    close(file, () => {});
  }
}

/** Writes to a pipe, waiting for its reader, or to a device. */
export async function writeSpecial(absolute: string, data: Uint8Array): Promise<void> {
  const file = await openForWriting(absolute);
  try {
    for (let at = 0; at < data.length; ) at += await writePiece(file, data.subarray(at));
  } finally {
    close(file, () => {});
  }
}

/** Writes what fits now; returns how many bytes that were, 0 while the pipe is full. */
async function writePiece(file: number, data: Uint8Array): Promise<number> {
  try {
    return await new Promise<number>((done, fail) => {
      write(file, data, 0, data.length, null, (error, count) => (error ? fail(error) : done(count)));
    });
  } catch (cause) {
    if ((cause as { code?: string }).code !== "EAGAIN") throw cause;
    await pause();
    return 0;
  }
}

function pause(): Promise<void> {
  return new Promise((turn) => setTimeout(turn, POLL));
}

async function openForWriting(absolute: string): Promise<number> {
  for (;;) {
    try {
      return openSync(absolute, constants.O_WRONLY | (constants.O_NONBLOCK ?? 0));
    } catch (cause) {
      if ((cause as { code?: string }).code !== "ENXIO") throw cause;
    }
    await pause();
  }
}
