import { TsignError } from "../../../errors.ts";
import { decodeBase64 } from "../../../format/base64.ts";
import type { Io } from "../../../io/io.ts";
import { AWS_SOURCES, awsRequestHandler } from "../../../net/aws.ts";
import { type LoadPackage, loadPackages, type PackageName } from "../../../packages.ts";
import { ECR_HOST } from "./hosts.ts";
import type { CloudRegistry, FindInCloud } from "./types.ts";

/** The only region that issues tokens for the public registry. */
const PUBLIC_REGION = "us-east-1";

interface Authorization {
  readonly authorizationToken?: string;
}
/** The answer of both services: a list for private registries, a single value for the public one. */
interface Answer {
  readonly authorizationData?: Authorization | readonly Authorization[];
}
type Client = new (
  settings: Record<string, unknown>,
) => { send(command: unknown, options: { abortSignal: AbortSignal }): Promise<Answer> };

/** The parts of @aws-sdk/client-ecr and @aws-sdk/client-ecr-public that are used. */
interface Sdk {
  readonly ECRClient?: Client;
  readonly ECRPUBLICClient?: Client;
  readonly GetAuthorizationTokenCommand: new (input: Record<string, unknown>) => unknown;
}

/** Gets a registry password from ECR with the credentials that AWS's own library finds. */
export const findInAmazon: FindInCloud = (io, registry) => askEcr(io, registry);

/** Gets a registry password from ECR. @param load replaces the loading of packages in tests */
export async function askEcr(io: Io, { host }: CloudRegistry, load?: LoadPackage) {
  const { account, fips, region = PUBLIC_REGION } = ECR_HOST.exec(host)?.groups ?? {};
  const name: PackageName = account ? "@aws-sdk/client-ecr" : "@aws-sdk/client-ecr-public";
  const [sdk] = await loadPackages<[Sdk]>([name], { purpose: host, load });
  const Client = (account ? sdk.ECRClient : sdk.ECRPUBLICClient) as Client;
  const client = new Client({
    region,
    ...(fips ? { useFipsEndpoint: true } : {}),
    requestHandler: await awsRequestHandler(io),
  });
  const input = account ? { registryIds: [account] } : {};
  const answer = await client
    .send(new sdk.GetAuthorizationTokenCommand(input), { abortSignal: io.signal })
    .catch((error: unknown) => {
      throw io.signal.aborted ? error : readableError(error, account ? "ecr" : "ecr-public");
    });
  const [first] = [answer.authorizationData ?? []].flat();
  const pair = Buffer.from(decodeBase64(first?.authorizationToken ?? "") ?? []).toString("utf8");
  const colon = pair.indexOf(":");
  if (colon < 1) throw new TsignError("auth", "ECR returned no token");
  const credentials = { kind: "password", username: pair.slice(0, colon), password: pair.slice(colon + 1) } as const;
  return { credentials, from: "the AWS credential chain" };
}

/** Uses only the error's name: the message of a refused signature repeats the signed headers, including tokens. */
function readableError(error: unknown, service: string): unknown {
  if (error instanceof TsignError || !(error instanceof Error)) return error;
  const known = MEANINGS.find(([pattern]) => pattern.test(error.name))?.[1];
  return new TsignError("auth", known?.(service) ?? `${service}:GetAuthorizationToken failed: ${error.name}`);
}

const MEANINGS: readonly (readonly [RegExp, (service: string) => string])[] = [
  [/^CredentialsProviderError$/, () => `none found; ${AWS_SOURCES}`],
  [/^AccessDenied/, (service) => `missing permission ${service}:GetAuthorizationToken`],
  [/^ExpiredToken/, () => "the AWS credentials have expired"],
  [
    /^(UnrecognizedClient|InvalidClientTokenId|InvalidSignature|SignatureDoesNotMatch|IncompleteSignature)/,
    () => "AWS refused the credentials",
  ],
];
