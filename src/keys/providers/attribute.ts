import { type ErrorCode, type ServiceName, TsignError, withFields, withMessage } from "../../errors.ts";
import type { Signer } from "../types.ts";
import type { KeyProvider } from "./types.ts";

/** Codes of errors about a response. Errors with other codes name the service already, or are about the command line. */
const RESPONSE_CODES: readonly ErrorCode[] = ["input", "service", "unsupported"];

/**
 * Wraps a provider so that its errors, and those of its signers, have the field `service`. Errors about a response of the
 * service also get its name into their message.
 */
export function attributed(provider: KeyProvider, service: ServiceName): KeyProvider {
  const run = async <T>(step: () => Promise<T>): Promise<T> => {
    try {
      return await attributing(service, step);
    } catch (error) {
      throw error instanceof TsignError && RESPONSE_CODES.includes(error.code)
        ? withName(error, provider.service)
        : error;
    }
  };
  const { create, store } = provider;
  return {
    service: provider.service,
    publicKey: () => run(() => provider.publicKey()),
    facts: () => run(() => provider.facts()),
    signer: () => run(async () => attributedSigner(await provider.signer(), service)),
    ...(create ? { create: () => run(() => create.call(provider)) } : {}),
    ...(store ? { store: (pair) => run(() => store.call(provider, pair)) } : {}),
  };
}

function withName(error: TsignError, name: string): TsignError {
  const [known = name] = name.split(" ").slice(-1); // the program, for "the plugin sigstore-kms-x"
  return error.message.includes(known) ? error : withMessage(error, `${name}: ${error.message}`);
}

/** Errors of signing only get the field: they may also come from reading the message. */
function attributedSigner(signer: Signer, service: ServiceName): Signer {
  return { ...signer, sign: (message) => attributing(service, () => signer.sign(message)) };
}

async function attributing<T>(service: ServiceName, step: () => Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (error) {
    const isFailure = error instanceof TsignError && error.code !== "internal" && error.code !== "cancelled";
    throw isFailure ? withFields(error, { service }) : error;
  }
}
