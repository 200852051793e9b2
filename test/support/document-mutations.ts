// biome-ignore lint/suspicious/noExplicitAny: documents are changed in ways their types forbid
export type Json = any;

type Path = readonly (string | number)[];

export interface Mutation {
  /** Path of the change: `a.0.b`. */
  readonly path: string;
  readonly change: string;
  readonly changed: Json;
  /** The original value. */
  readonly value: Json;
}

const BASE64 = /^(?=.{4})[A-Za-z0-9+/]+={0,2}$/;

/** Yields the document with one change, for each value and each way of changing it. */
export function* mutations(json: Json): Iterable<Mutation> {
  const before = JSON.stringify(json);
  for (const path of pathsOf(json)) {
    const value = valueAt(json, path);
    const changes: [string, (parent: Json, key: string | number) => void][] = [
      ["deleted", (parent, key) => (Array.isArray(parent) ? parent.splice(Number(key), 1) : delete parent[key])],
    ];
    for (const [change, other] of otherValues(value)) {
      changes.push([change, (parent, key) => Object.assign(parent, { [key]: other })]);
    }
    for (const [change, apply] of changes) {
      const changed = structuredClone(json);
      apply(valueAt(changed, path.slice(0, -1)), path.at(-1) ?? "");
      if (JSON.stringify(changed) !== before) yield { path: path.join("."), change, changed, value };
    }
  }
}

/** Changes base64: every byte flipped, removed, and one inserted before it. */
export function* byteMutations(json: Json, at: Path): Iterable<Omit<Mutation, "path" | "value">> {
  const bytes = Buffer.from(valueAt(json, at), "base64");
  for (let index = 0; index <= bytes.length; index++) {
    const [head, tail] = [bytes.subarray(0, index), bytes.subarray(index + 1)];
    const others: Record<string, Buffer> = {
      "one more": Buffer.concat([head, Buffer.from([0]), bytes.subarray(index)]),
    };
    if (index < bytes.length) {
      others["one less"] = Buffer.concat([head, tail]);
      for (const bit of [0x01, 0x80])
        others[`^${bit}`] = Buffer.concat([head, Buffer.from([(bytes[index] ?? 0) ^ bit]), tail]);
    }
    for (const [change, other] of Object.entries(others)) {
      if (!other.equals(bytes))
        yield { change: `${index} ${change}`, changed: replaced(json, at, other.toString("base64")) };
    }
  }
}

/** Changes a text: every character removed, and others inserted before it. */
export function* textMutations(json: Json, at: Path): Iterable<Omit<Mutation, "path" | "value">> {
  const text: string = valueAt(json, at);
  for (let index = 0; index <= text.length; index++) {
    const [head, rest] = [text.slice(0, index), text.slice(index)];
    for (const other of [head + rest.slice(1), ...["x", "\n", " "].map((put) => head + put + rest)]) {
      if (other === text) continue;
      const around = JSON.stringify(other.slice(Math.max(0, index - 5), index + 5));
      yield { change: `${index} ${around}`, changed: replaced(json, at, other) };
    }
  }
}

function* pathsOf(value: Json, path: Path = []): Iterable<Path> {
  if (path.length > 0) yield path;
  if (typeof value !== "object" || value === null) return;
  for (const key of Object.keys(value)) yield* pathsOf(value[key], [...path, Array.isArray(value) ? Number(key) : key]);
}

function valueAt(json: Json, path: Path): Json {
  return path.reduce((parent, key) => parent[key], json);
}

function replaced(json: Json, path: Path, value: Json): Json {
  const changed = structuredClone(json);
  Object.assign(valueAt(changed, path.slice(0, -1)), { [path.at(-1) ?? ""]: value });
  return changed;
}

function* otherValues(value: Json): Iterable<[change: string, other: Json]> {
  yield* Object.entries({ null: null, true: true, "a number": 7, "an object": {}, "a list": [], "in a list": [value] });
  yield* Object.entries({ "an empty text": "", "a text": "x" });
  if (typeof value === "string") yield* otherTexts(value);
  if (Array.isArray(value)) {
    yield* Object.entries({ twice: [...value, ...value], "and null": [...value, null], "and {}": [...value, {}] });
  } else if (typeof value === "object" && value !== null) yield* otherObjects(value);
}

function* otherTexts(text: string): Iterable<[change: string, other: Json]> {
  for (const end of ["A", " ", "\n", "=", "\0"]) yield [`with ${JSON.stringify(end)} at its end`, text + end];
  yield* Object.entries({ "with a space before": ` ${text}`, "in capitals": text.toUpperCase() });
  if (/^\d+$/.test(text)) {
    yield ["as a number", Number(text)];
    yield ["half more", Number(text) + 0.5];
    const others = [
      `${Number(text) + 1}`,
      `${Number(text) - 1}`,
      "0",
      "-1",
      `0${text}`,
      `+${text}`,
      `${text}.0`,
      "1e3",
    ];
    const large = ["9000000000000000", "9007199254740993", "99999999999999999999"];
    for (const other of [...others, ...large, `0x${Number(text).toString(16)}`]) yield [`as ${other}`, other];
  } else if (BASE64.test(text)) yield* otherBase64(text);
}

function* otherBase64(text: string): Iterable<[change: string, other: string]> {
  const bytes = Buffer.from(text, "base64");
  const flipped = (index: number) => {
    const copy = Buffer.from(bytes);
    copy[index] = (copy[index] ?? 0) ^ 1;
    return copy.toString("base64");
  };
  const inside = (put: string) => text.slice(0, 4) + put + text.slice(4);
  yield ["first byte changed", flipped(0)];
  yield ["last byte changed", flipped(bytes.length - 1)];
  yield ["one byte more", Buffer.concat([bytes, Buffer.from([0])]).toString("base64")];
  yield ["one byte less", bytes.subarray(0, -1).toString("base64")];
  yield ["without padding", text.replace(/=+$/, "")];
  if (text.endsWith("==")) yield ["with half its padding", text.slice(0, -1)];
  yield ["other alphabet", text.replaceAll("+", "-").replaceAll("/", "_")];
  if (/\+.*\/|\/.*\+/.test(text)) yield ["both alphabets", text.replaceAll("+", "-")];
  for (const put of ["\n", "!", "=", " "]) yield [`with ${JSON.stringify(put)} inside`, inside(put)];
}

function* otherObjects(value: Record<string, Json>): Iterable<[change: string, other: Json]> {
  yield ["with an unknown field", { ...value, unknownField: 1 }];
  for (const [key, item] of Object.entries(value)) {
    const spelling = key.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    if (spelling === key) continue;
    const { [key]: _, ...others } = value;
    yield ["other spelling", { ...others, [spelling]: item }];
    yield [`${key} in both spellings`, { ...value, [spelling]: item }];
  }
}
