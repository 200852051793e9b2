import type { RegistryOptions } from "../../oci/open.ts";
import { type FlagValues, flag } from "../parser/define.ts";

/** The flags of every command that connects to a registry. */
export const registryFlags = {
  allowHttpRegistry: flag.bool(
    "allow plain HTTP for any registry, not only on loopback and private addresses (insecure)",
    {
      weakens: { when: true, effect: "the registry is contacted over plain HTTP if it does not support TLS" },
    },
  ),
  allowInsecureRegistry: flag.bool(
    "skip verification of the registry's TLS certificate and allow plain HTTP (insecure)",
    {
      weakens: { when: true, effect: "the registry's TLS certificate is not verified, and plain HTTP is allowed" },
    },
  ),
  k8sKeychain: flag.bool(
    "also use ambient credentials for the registries of AWS, Google Cloud, Azure, Alibaba Cloud and GitHub",
  ),
  registryCacert: flag.string("PEM file of CA certificates to trust for the registry's TLS, instead of the system's"),
  registryClientCert: flag.string("PEM file of the TLS client certificate for the registry"),
  registryClientKey: flag.string("PEM file of the TLS client key for the registry"),
  registryPassword: flag.string("registry password", { needs: "registryUsername", secret: true }),
  registryServerName: flag.string("host name expected in the registry's TLS certificate"),
  registryToken: flag.string("registry bearer token", { secret: true }),
  registryUsername: flag.string("registry user name", { needs: "registryPassword" }),
};

/** The prefix of legacy tags, deprecated in every command. */
export const attachmentTagPrefix = flag.string("tag prefix for legacy attachments", {
  deprecated: "attach artifacts as OCI referrers instead",
});

/** Converts the flags to the options of a registry connection. */
export function registryOptions(flags: FlagValues<typeof registryFlags>): RegistryOptions {
  return {
    allowInsecure: flags.allowInsecureRegistry,
    allowHttp: flags.allowHttpRegistry,
    username: flags.registryUsername,
    password: flags.registryPassword,
    token: flags.registryToken,
    caFile: flags.registryCacert,
    clientCertFile: flags.registryClientCert,
    clientKeyFile: flags.registryClientKey,
    serverName: flags.registryServerName,
    cloudCredentials: flags.k8sKeychain,
  };
}
