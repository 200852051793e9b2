import { type ErrorCode, type ServiceName, TsignError, withFields, withMessage } from "../../errors.ts";
import type { Signer } from "../types.ts";
import type { KeyProvider } from "./types.ts";

/** What a service's answer can be wrong about; the rest is about the command line, or said by the transport with its peer. */
const OF_THE_ANSWER: readonly ErrorCode[] = ["input", "service", "unsupported"];

/**
 * The same provider, whose errors name the service in their field `service`, and so those of its signers. Errors about what
 * the service answered name it in their message too.
 */
export function attributed(provider: KeyProvider, service: ServiceName): KeyProvider {
  const by = async <T>(step: () => Promise<T>): Promise<T> => {
    try {
      return await attributing(service, step);
    } catch (error) {
      throw error instanceof TsignError && OF_THE_ANSWER.includes(error.code) ? named(error, provider.service) : error;
    }
  };
  const { create, store } = provider;
  return {
    service: provider.service,
    publicKey: () => by(() => provider.publicKey()),
    facts: () => by(() => provider.facts()),
    signer: () => by(async () => attributedSigner(await provider.signer(), service)),
    ...(create ? { create: () => by(() => create.call(provider)) } : {}),
    ...(store ? { store: (pair) => by(() => store.call(provider, pair)) } : {}),
  };
}

function named(error: TsignError, name: string): TsignError {
  const [known = name] = name.split(" ").slice(-1); // of "the plugin sigstore-kms-x" the program
  return error.message.includes(known) ? error : withMessage(error, `${name}: ${error.message}`);
}

/** Signing reads the message too, which is not the service's. */
function attributedSigner(signer: Signer, service: ServiceName): Signer {
  return { ...signer, sign: (message) => attributing(service, () => signer.sign(message)) };
}

async function attributing<T>(service: ServiceName, step: () => Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (error) {
    const ours = error instanceof TsignError && error.code !== "internal" && error.code !== "cancelled";
    throw ours ? withFields(error, { service }) : error;
  }
}
