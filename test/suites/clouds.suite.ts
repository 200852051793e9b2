import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { stageProgram } from "./backends-kit.ts";
import { type REGISTRIES, startClouds } from "./clouds-kit.ts";
import { COSIGN, folder, must, NO_LOG, OFFLINE, run, TSIGN } from "./support.ts";

type Host = keyof typeof REGISTRIES;
const FLAG = "--k8s-keychain";
const ECR = "123456789012.dkr.ecr.eu-central-1.amazonaws.com";
/** No metadata server except the one of a case, because this machine may be in a cloud itself. */
const NOWHERE = { AWS_EC2_METADATA_DISABLED: "true", AWS_ECR_DISABLE_CACHE: "1" };
const AWS = { AWS_ACCESS_KEY_ID: "AKIDSUITE", AWS_SECRET_ACCESS_KEY: "aws-secret" };
const ALIBABA = { ALIBABA_CLOUD_ACCESS_KEY_ID: "LTAISUITE", ALIBABA_CLOUD_ACCESS_KEY_SECRET: "alibaba-secret" };
const ENTRA = { AZURE_TENANT_ID: "tenant", AZURE_CLIENT_ID: "client" };

interface Case {
  readonly name: string;
  readonly host: Host;
  readonly env: Record<string, string>;
  /** Services that both programs must call. */
  readonly asks?: readonly string[];
}

function cases(cwd: string, metadata: string): Case[] {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const write = (name: string, value: unknown) => {
    writeFileSync(join(cwd, name), typeof value === "string" ? value : JSON.stringify(value));
    return join(cwd, name);
  };
  const robot = write("robot.json", {
    type: "service_account",
    client_email: "robot@suite.example",
    private_key: String(privateKey.export({ type: "pkcs8", format: "pem" })),
  });
  const user = { type: "authorized_user", client_id: "i", client_secret: "s", refresh_token: "r" };
  const google: Host = "europe-docker.pkg.dev";
  const azure: Host = "suite.azurecr.io";
  const login = ["oauth2.googleapis.com"];
  const entra = ["login.microsoftonline.com"];
  const file = { AZURE_FEDERATED_TOKEN_FILE: write("jwt", "federated") };
  return [
    { name: "GitHub", host: "ghcr.io", env: { GITHUB_TOKEN: "ghp_token", GITHUB_ACTOR: "octo" } },
    { name: "Google, service account", host: google, env: { GOOGLE_APPLICATION_CREDENTIALS: robot }, asks: login },
    {
      name: "Google, login",
      host: google,
      env: { GOOGLE_APPLICATION_CREDENTIALS: write("user.json", user) },
      asks: login,
    },
    { name: "Google, metadata server", host: google, env: { GCE_METADATA_HOST: metadata } },
    { name: "Azure, secret", host: azure, env: { ...ENTRA, AZURE_CLIENT_SECRET: "secret" }, asks: entra },
    { name: "Azure, workload", host: azure, env: { ...ENTRA, ...file }, asks: entra },
    { name: "Azure, App Service", host: azure, env: { MSI_ENDPOINT: `http://${metadata}/msi`, MSI_SECRET: "s" } },
    { name: "Azure, Cloud Shell", host: azure, env: { MSI_ENDPOINT: `http://${metadata}/msi` } },
    { name: "AWS, private", host: ECR, env: AWS, asks: ["api.ecr.eu-central-1.amazonaws.com"] },
    { name: "AWS, public", host: "public.ecr.aws", env: AWS, asks: ["api.ecr-public.us-east-1.amazonaws.com"] },
    {
      name: "Alibaba Cloud, personal",
      host: "registry.cn-hangzhou.aliyuncs.com",
      env: ALIBABA,
      asks: ["cr.cn-hangzhou.aliyuncs.com"],
    },
    {
      name: "Alibaba Cloud, instance",
      host: "suite-registry.cn-hangzhou.cr.aliyuncs.com",
      env: ALIBABA,
      asks: ["cr.cn-hangzhou.aliyuncs.com"],
    },
  ];
}

test("cloud credentials: tsign and cosign send registries the same", async (context) => {
  const cwd = folder(context);
  const clouds = await startClouds(context, cwd);
  const staged = await stageProgram(cwd, ["@aws-sdk/client-ecr", "@aws-sdk/client-ecr-public"]);
  await must(TSIGN, ["generate-key-pair"], { cwd });
  const key = ["--key", "cosign.key", ...OFFLINE];
  const verifying = ["--key", "cosign.pub", NO_LOG];

  for (const { name, host, env: own, asks = [] } of cases(cwd, clouds.metadata)) {
    await context.test(name, async () => {
      const env = { ...clouds.env, ...NOWHERE, ...own };
      const app = "team/app:v1";
      const pushed = await must(staged, ["sandbox", "push", app, FLAG], { cwd, env: { ...env, TSIGN_SANDBOX: host } });
      const image = pushed.stdout.trim();
      const shown: string[][] = [];
      for (const [signer, verifier] of [
        [staged, COSIGN],
        [COSIGN, staged],
      ] as const) {
        clouds.takeShown();
        clouds.takeCalls();
        await must(signer, ["sign", ...key, FLAG, image], { cwd, env });
        const asked = new Set(clouds.takeCalls().map((call) => call.host));
        for (const service of asks) assert.ok(asked.has(service), `${signer} asks ${[...asked].join(", ")}`);
        shown.push(clouds.takeShown());
        await must(verifier, ["verify", ...verifying, FLAG, image], { cwd, env });
      }
      assert.deepEqual(shown[0], shown[1]);
      assert.notDeepEqual(shown[0], []);
      for (const program of [staged, COSIGN]) {
        const without = await run(program, ["verify", ...verifying, image], { cwd, env });
        assert.notEqual(without.code, 0, `${program} without ${FLAG}`);
        const bare = await run(program, ["verify", ...verifying, FLAG, image], {
          cwd,
          env: { ...clouds.env, ...NOWHERE },
        });
        assert.notEqual(bare.code, 0, `${program} without credentials`);
      }
    });
  }

  await context.test("docker's configuration goes first in both", async () => {
    const auth = Buffer.from("docker:config").toString("base64");
    writeFileSync(join(cwd, "config.json"), JSON.stringify({ auths: { "ghcr.io": { auth } } }));
    const env = { ...clouds.env, GITHUB_TOKEN: "ghp_token", GITHUB_ACTOR: "octo", DOCKER_CONFIG: cwd };
    for (const program of [staged, COSIGN]) {
      clouds.takeShown();
      const result = await run(program, ["triangulate", FLAG, "ghcr.io/team/app:v1"], { cwd, env });
      assert.notEqual(result.code, 0);
      assert.deepEqual(clouds.takeShown(), ["ghcr.io token docker:config"]);
    }
  });

  await context.test("refused credentials are none, for both; tsign says so without the secret", async () => {
    const env = { ...clouds.env, ...ENTRA, AZURE_CLIENT_SECRET: "wrong" };
    for (const program of [staged, COSIGN]) {
      const result = await run(program, ["triangulate", FLAG, "suite.azurecr.io/team/app:v1"], { cwd, env });
      assert.notEqual(result.code, 0);
      if (program === COSIGN) continue;
      assert.match(
        result.stderr,
        /check the Azure credentials: login.microsoftonline.com returned 401 \(invalid_client\)/,
      );
    }
  });

  await context.test("a host that only begins like Azure's gets an identity's token from cosign alone", async () => {
    const env = { ...clouds.env, ...ENTRA, AZURE_CLIENT_SECRET: "secret" };
    const image = "suite.azurecr.io.evil.example/team/app:v1";
    const exchanged = async (program: string) => {
      clouds.takeShown();
      await run(program, ["triangulate", FLAG, image], { cwd, env });
      return clouds.takeShown().some((each) => each.includes("exchange entra-token"));
    };
    assert.equal(await exchanged(COSIGN), true);
    assert.equal(await exchanged(staged), false);
  });
});
