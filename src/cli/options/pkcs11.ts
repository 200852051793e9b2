import { TsignError } from "../../errors.ts";
import type { Io } from "../../io/io.ts";
import { flag } from "../parser/define.ts";

/** cosign's default is this text; it means what the variable holds. */
const FROM_ENVIRONMENT = "$COSIGN_PKCS11_MODULE_PATH";

export const modulePathFlag = flag.string("absolute path of the PKCS#11 module, a shared library", {
  default: FROM_ENVIRONMENT,
});

/**
 * The module to load.
 *
 * @throws TsignError "usage"
 */
export function modulePathOf(io: Pick<Io, "env">, given: string): string {
  const path = given === FROM_ENVIRONMENT ? (io.env["COSIGN_PKCS11_MODULE_PATH"] ?? "") : given;
  if (path !== "") return path;
  throw new TsignError("usage", "no PKCS#11 module is named", {
    hint: "pass the path of the vendor's library with --module-path, or set COSIGN_PKCS11_MODULE_PATH",
  });
}
