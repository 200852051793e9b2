declare const VALUE: unique symbol;

/** A JSON Schema (2020-12), with the type of the values that it describes. */
export interface Shape<T = unknown> {
  readonly schema: Readonly<Record<string, unknown>>;
  /** Whether the command prints its own JSON, as cosign does, instead of an answer with a result. */
  readonly own?: true;
  readonly [VALUE]?: T;
}

type ValueOf<S> = S extends Shape<infer T> ? T : never;
type Members = Readonly<Record<string, Shape>>;
type ObjectOf<R extends Members, O extends Members> = { readonly [K in keyof R]: ValueOf<R[K]> } & {
  readonly [K in keyof O]?: ValueOf<O[K]>;
};

/** Constructors of shapes. A description is for the readers of the published schema. */
export const shape = {
  text: (description?: string): Shape<string> => described({ type: "string" }, description),
  flag: (description?: string): Shape<boolean> => described({ type: "boolean" }, description),
  count: (description?: string): Shape<number> => described({ type: "integer", minimum: 0 }, description),
  digest: (description?: string): Shape<string> =>
    described({ type: "string", pattern: "^sha(256:[0-9a-f]{64}|384:[0-9a-f]{96}|512:[0-9a-f]{128})$" }, description),
  choice: <const C extends string>(choices: readonly C[], description?: string): Shape<C> =>
    described({ enum: choices }, description),
  /** A document of another program or format. */
  document: (description?: string): Shape<unknown> => described({ type: "object" }, description),
  list: <T>(items: Shape<T>, description?: string): Shape<readonly T[]> =>
    described({ type: "array", items: items.schema }, description),
  map: <T>(values: Shape<T>, description?: string): Shape<Readonly<Record<string, T>>> =>
    described({ type: "object", additionalProperties: values.schema }, description),
  /** An object with exactly these members. */
  object: <R extends Members, O extends Members = Record<never, never>>(
    required: R,
    optional?: O,
  ): Shape<ObjectOf<R, O>> => ({
    schema: {
      type: "object",
      required: Object.keys(required),
      additionalProperties: false,
      properties: Object.fromEntries(
        Object.entries({ ...required, ...optional }).map(([name, { schema }]) => [name, schema]),
      ),
    },
  }),
  /** What a command prints by itself. */
  own: ({ schema }: Shape): Shape<void> => ({ schema, own: true }),
  /** A part of a schema in docs/schema that is written by hand. */
  reference: <T>(reference: string): Shape<T> => ({ schema: { $ref: reference } }),
};

function described<T>(schema: Readonly<Record<string, unknown>>, description: string | undefined): Shape<T> {
  return { schema: description === undefined ? schema : { description, ...schema } };
}
