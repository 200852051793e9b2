import { TsignError } from "../../errors.ts";
import { AWS_LOOKED } from "../../net/aws.ts";
import { SERVICE } from "./awskms-client.ts";

/**
 * What an error of the AWS SDK means, in one line. Messages of KMS are kept where they name what is missing; they hold
 * account and key, never a secret.
 */
export function readableAwsError(error: unknown, on: { action: string; key: string }): unknown {
  if (error instanceof TsignError || !(error instanceof Error)) return error;
  const make = MEANINGS.find(([pattern]) => pattern.test(error.name) || pattern.test(error.message.slice(0, 100)))?.[1];
  const said = error.message.split("\n", 1)[0]?.slice(0, 400) ?? "";
  const [code, text, hint] = make?.({ ...on, said }) ?? [
    "service",
    `${SERVICE} refuses ${on.action}: ${error.name}: ${said}`,
  ];
  const { $metadata } = error as { $metadata?: { httpStatusCode?: number } };
  return new TsignError(code, text, { cause: error, hint, status: $metadata?.httpStatusCode });
}

type Meaning = readonly [code: "auth" | "input" | "service" | "usage", text: string, hint?: string];
interface Failure {
  readonly action: string;
  readonly key: string;
  readonly said: string;
}

/** By the error's name, or what its message begins with. */
const MEANINGS: readonly (readonly [RegExp, (failure: Failure) => Meaning])[] = [
  [
    /^CredentialsProviderError$|^Could not load credentials/,
    () => ["auth", `no credentials for ${SERVICE}`, AWS_LOOKED],
  ],
  [/^Region (is missing|not accepted)/, () => ["usage", "no AWS region", "set AWS_REGION, or name the key by its ARN"]],
  [
    /^NotFoundException$/,
    ({ key }) => ["input", `no such key in ${SERVICE}: ${key}`, "is it in another region or account?"],
  ],
  [
    /^AccessDenied/,
    ({ action, key, said }) => [
      "auth",
      `no permission for kms:${action} on ${key}: ${said}`,
      `allow kms:${action} in the key's policy or the role's`,
    ],
  ],
  [
    /^(UnrecognizedClient|InvalidClientTokenId|InvalidSignature|SignatureDoesNotMatch|IncompleteSignature)/,
    () => ["auth", `${SERVICE} does not accept the credentials`, AWS_LOOKED],
  ],
  [/^ExpiredToken/, () => ["auth", "the AWS credentials have expired", "log in again: aws sso login"]],
  [
    /^(DisabledException|KMSInvalidStateException)$/,
    ({ key, said }) => ["input", `the key ${key} cannot sign now: ${said}`],
  ],
  [
    /^(InvalidKeyUsageException|UnsupportedOperationException)$/,
    ({ key, said }) => ["input", `the key ${key} cannot sign: ${said}`, "make a key with the usage SIGN_VERIFY"],
  ],
  [
    /^(Throttling|TooManyRequests|LimitExceeded)/,
    () => ["service", `${SERVICE} is still throttling after several tries`],
  ],
  [
    /^(DependencyTimeout|KMSInternal|ServiceUnavailable|InternalFailure)/,
    ({ said }) => ["service", `${SERVICE} is not available now: ${said}`],
  ],
  [/^ValidationException$/, ({ action, said }) => ["input", `${SERVICE} refuses ${action}: ${said}`]],
];
