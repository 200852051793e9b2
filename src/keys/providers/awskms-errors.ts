import { TsignError } from "../../errors.ts";
import { AWS_SOURCES } from "../../net/aws.ts";
import { SERVICE } from "./awskms-client.ts";

/**
 * Converts an error of the AWS SDK to a TsignError with a message of one line; returns other errors unchanged. KMS's own
 * message is included where it says what is missing; it contains account and key, never a secret.
 */
export function explainAwsError(error: unknown, request: { action: string; key: string }): unknown {
  if (error instanceof TsignError || !(error instanceof Error)) return error;
  const make = MEANINGS.find(([pattern]) => pattern.test(error.name) || pattern.test(error.message.slice(0, 100)))?.[1];
  const reason = error.message.split("\n", 1)[0]?.slice(0, 400) ?? "";
  const [code, text, hint] = make?.({ ...request, reason }) ?? [
    "service",
    `${SERVICE} refused ${request.action}: ${error.name}: ${reason}`,
  ];
  const { $metadata } = error as { $metadata?: { httpStatusCode?: number } };
  return new TsignError(code, text, { cause: error, hint, status: $metadata?.httpStatusCode });
}

type Meaning = readonly [code: "auth" | "input" | "service" | "usage", text: string, hint?: string];
interface Failure {
  readonly action: string;
  readonly key: string;
  readonly reason: string;
}

/** Matched against the name of the error, then the start of its message. */
const MEANINGS: readonly (readonly [RegExp, (failure: Failure) => Meaning])[] = [
  [
    /^CredentialsProviderError$|^Could not load credentials/,
    () => ["auth", `missing credentials for ${SERVICE}`, AWS_SOURCES],
  ],
  [
    /^Region (is missing|not accepted)/,
    () => ["usage", "missing AWS region", "set AWS_REGION, or use the ARN of the key"],
  ],
  [
    /^NotFoundException$/,
    ({ key }) => ["input", `key not found in ${SERVICE}: ${key}`, "check the region and the account"],
  ],
  [
    /^AccessDenied/,
    ({ action, key, reason }) => [
      "auth",
      `${SERVICE} denied permission for kms:${action} on ${key}: ${reason}`,
      `allow kms:${action} in the policy of the key or the role`,
    ],
  ],
  [
    /^(UnrecognizedClient|InvalidClientTokenId|InvalidSignature|SignatureDoesNotMatch|IncompleteSignature)/,
    () => ["auth", `${SERVICE} refused the credentials`, AWS_SOURCES],
  ],
  [
    /^ExpiredToken/,
    () => ["auth", "the AWS credentials have expired", "log in again, for example with `aws sso login`"],
  ],
  [
    /^(DisabledException|KMSInvalidStateException)$/,
    ({ key, reason }) => ["input", `key ${key} cannot sign now: ${reason}`],
  ],
  [
    /^(InvalidKeyUsageException|UnsupportedOperationException)$/,
    ({ key, reason }) => ["input", `key ${key} cannot sign: ${reason}`, "use a key with the usage SIGN_VERIFY"],
  ],
  [
    /^(Throttling|TooManyRequests|LimitExceeded)/,
    () => ["service", `${SERVICE} still limits the request rate after several attempts`],
  ],
  [
    /^(DependencyTimeout|KMSInternal|ServiceUnavailable|InternalFailure)/,
    ({ reason }) => ["service", `${SERVICE} is not available now: ${reason}`],
  ],
  [/^ValidationException$/, ({ action, reason }) => ["input", `${SERVICE} refused ${action}: ${reason}`]],
];
