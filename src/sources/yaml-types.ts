import type { Scalar } from "./yaml-cursor.ts";

/** Whether readers derive the type of a scalar from its text. */
export const isPlain = (scalar: Scalar) => scalar.plain && scalar.tag === undefined;
export const NULL = /^(?:|~|null|Null|NULL)$/;
/** Values that go-yaml reads as booleans or numbers. */
export const NOT_TEXT =
  /^(?:[yYnN]|yes|Yes|YES|no|No|NO|on|On|ON|off|Off|OFF|true|True|TRUE|false|False|FALSE|[-+]?(?:\.[0-9_]+|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?0[xob][0-9A-Fa-f_]+|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$/;
