import { type ServiceName, TsignError, withFields } from "../../errors.ts";
import type { Signer } from "../types.ts";
import type { KeyProvider } from "./types.ts";

/** The same provider, whose errors name the service in their field `service`, and so those of its signers. */
export function attributed(provider: KeyProvider, service: ServiceName): KeyProvider {
  const by = <T>(step: () => Promise<T>): Promise<T> => attributing(service, step);
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
