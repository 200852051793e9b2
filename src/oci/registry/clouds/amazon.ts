import { TsignError } from "../../../errors.ts";
import { decodeBase64 } from "../../../format/base64.ts";
import type { Io } from "../../../io/io.ts";
import { AWS_LOOKED, awsRequestHandler } from "../../../net/aws.ts";
import { type LoadPackage, loadPackages, type PackageName } from "../../../packages.ts";
import { ECR_HOST } from "./hosts.ts";
import type { CloudRegistry, FindInCloud } from "./types.ts";

/** Where the public registry issues its tokens, wherever one is. */
const PUBLIC_REGION = "us-east-1";

interface Authorization {
  readonly authorizationToken?: string;
}
/** What both services answer: a list for private registries, one for the public one. */
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

/** A registry's password from ECR, with the credentials that AWS's own library finds and signs with. */
export const findInAmazon: FindInCloud = (io, registry) => askEcr(io, registry);

/** @param load the libraries, for tests */
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
  if (colon < 1) throw new TsignError("auth", "ECR answered without a token");
  const credentials = { kind: "password", username: pair.slice(0, colon), password: pair.slice(colon + 1) } as const;
  return { credentials, from: "AWS's credential chain" };
}

/** By the error's name alone: the message of a refused signature repeats the headers that were signed, tokens included. */
function readableError(error: unknown, service: string): unknown {
  if (error instanceof TsignError || !(error instanceof Error)) return error;
  const known = MEANINGS.find(([pattern]) => pattern.test(error.name))?.[1];
  return new TsignError("auth", known?.(service) ?? `${service}:GetAuthorizationToken failed: ${error.name}`);
}

const MEANINGS: readonly (readonly [RegExp, (service: string) => string])[] = [
  [/^CredentialsProviderError$/, () => AWS_LOOKED],
  [/^AccessDenied/, (service) => `no permission for ${service}:GetAuthorizationToken`],
  [/^ExpiredToken/, () => "the AWS credentials have expired"],
  [
    /^(UnrecognizedClient|InvalidClientTokenId|InvalidSignature|SignatureDoesNotMatch|IncompleteSignature)/,
    () => "AWS does not accept the credentials",
  ],
];
