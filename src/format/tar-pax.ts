import type { TsignError } from "../errors.ts";

/** The records of a pax header that change how its entry is read. */
export interface PaxRecords {
  readonly path?: string;
  /** Bytes. */
  readonly size?: number;
}

/**
 * Reads the records of a pax header, `LENGTH KEY=VALUE\n` (POSIX.1-2017, pax, "pax Extended Header").
 *
 * @param fail returns the error for a reason
 * @throws what `fail` returns, for malformed or repeated records, and for sparse files
 */
export function readPaxRecords(content: Uint8Array, fail: (reason: string) => TsignError): PaxRecords {
  const records = new Map<string, string>();
  const bytes = Buffer.from(content);
  for (let at = 0; at < bytes.length; ) {
    const space = bytes.indexOf(0x20, at);
    const digits = space < 0 ? "" : bytes.toString("latin1", at, Math.min(space, at + 10));
    const end = at + Number(digits);
    const isWhole =
      /^[1-9][0-9]{0,8}$/.test(digits) && end > space + 1 && end <= bytes.length && bytes[end - 1] === 0x0a;
    if (!isWhole) throw fail("a pax header is malformed");
    const record = bytes.toString("utf8", space + 1, end - 1);
    const equals = record.indexOf("=");
    const key = record.slice(0, Math.max(equals, 0));
    if (key === "" || records.has(key)) throw fail("a pax header is malformed");
    records.set(key, record.slice(equals + 1));
    at = end;
  }
  for (const key of records.keys()) if (key.startsWith("GNU.sparse.")) throw fail("it contains a sparse file");
  const [path, size] = [records.get("path"), records.get("size")];
  if (size !== undefined && !/^[0-9]{1,15}$/.test(size)) throw fail("a pax header is malformed");
  if (path !== undefined && /\0|\ufffd/.test(path)) throw fail("the name of an entry is not UTF-8");
  return { ...(path === undefined ? {} : { path }), ...(size === undefined ? {} : { size: Number(size) }) };
}
