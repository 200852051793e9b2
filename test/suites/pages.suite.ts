import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { Ajv } from "ajv";
import { dashboard } from "../../src/cli/reports/dashboard.ts";
import { htmlReport } from "../../src/cli/reports/html.ts";
import { junitReport } from "../../src/cli/reports/junit.ts";
import { sarifReport } from "../../src/cli/reports/sarif.ts";
import { systemIo } from "../../src/io/system.ts";
import { startSandbox } from "../../src/sandbox/server/serve.ts";
import { browserPackages, junitValidator } from "./ecosystem-kit.ts";
import { judge, openBrowser, type Window } from "./pages-kit.ts";
import { dashboards } from "./pages-monitor.ts";
import { resultOf } from "./pages-reports.ts";
import { folder, must, TSIGN } from "./support.ts";

/**
 * The pages of the sandbox and of tsign's own login, in headless Chromium at the widths of a telephone and a laptop, light and
 * dark: axe-core finds nothing, nothing is wider than the window, nothing is loaded or run. Pictures of all of them are left in
 * the folder that is printed; TSIGN_PICTURES names another one.
 */

const SCRIPT = `"><script>alert(1)</script><img src=x onerror=alert(2)>'`;
/** A text with markup that cannot be wrapped. */
const HOSTILE = `${SCRIPT}${"W".repeat(300)}\u202Egnp`;
const CHALLENGE = "a".repeat(43);

/** A sandbox whose clock can be put forward, and a browser. */
async function setUp(context: TestContext) {
  let shift = 0;
  const clock = () => new Date(Date.now() + shift);
  const io = systemIo();
  const files = folder(context);
  const env = { ...io.env, XDG_RUNTIME_DIR: files };
  const sandbox = await startSandbox({ ...io, env, now: clock }, { port: 0, referrers: true });
  context.after(() => sandbox.close());
  const browser = await openBrowser(context);
  const base = `http://127.0.0.1:${sandbox.port}`;
  const deviceCode = async (form: Record<string, string> = {}) => {
    const body = new URLSearchParams({ client_id: "sigstore", scope: "openid email", ...form });
    const answer = await fetch(`${base}/device/code`, { method: "POST", body });
    return (await answer.json()) as { user_code: string; device_code: string };
  };
  const look = async (name: string, path: string, status: number): Promise<Window> => {
    const window = await browser.open();
    await window.page.goto(path.startsWith("http") ? path : `${base}${path}`);
    assert.equal(window.status(), status, name);
    await judge(window, name, browser);
    return window;
  };
  const forward = (milliseconds: number) => {
    shift += milliseconds;
  };
  return { sandbox, browser, base, deviceCode, look, forward, cwd: files };
}

function authPath(changes: Record<string, string> = {}): string {
  return `/auth?${new URLSearchParams({
    response_type: "code",
    client_id: "sigstore",
    redirect_uri: "http://localhost:1/auth/callback",
    scope: "openid email",
    code_challenge: CHALLENGE,
    code_challenge_method: "S256",
    ...changes,
  })}`;
}

const OOB = { redirect_uri: "urn:ietf:wg:oauth:2.0:oob" };

test("sandbox pages: pass axe-core at both widths, light and dark, and show hostile text as text", async (context) => {
  const { look, browser, base, deviceCode, forward } = await setUp(context);
  console.log(`pictures: ${browser.pictures}`);

  await look("sign-in", authPath(), 200);
  await look("sign-in-hostile", authPath({ client_id: HOSTILE, scope: `openid ${HOSTILE}`, state: HOSTILE }), 200);
  await look("sign-in-refused", authPath({ redirect_uri: "https://evil.example/" }), 400);
  await look("sign-in-incomplete", "/auth", 400);
  await look("sign-in-ended", "/auth/approve?request=x", 400);

  const copy = await look("sign-in-copy", authPath(OOB), 200);
  await copy.page.getByLabel("E-mail address").fill("fred@example.com");
  await copy.page.getByRole("button", { name: "Sign in" }).click();
  await copy.page.waitForLoadState();
  await judge(copy, "copy-code", browser);
  assert.match(await copy.page.evaluate("document.body.innerText"), /fred@example\.com.*[\w-]{32}/s);
  await look("copy-code-hostile", authPath({ ...OOB, client_id: HOSTILE, login_hint: HOSTILE }), 200);

  const device = await look("device", "/device", 200);
  const { user_code } = await deviceCode();
  await device.page.getByLabel("Code").fill(user_code.toLowerCase().replace("-", " "));
  await device.page.getByRole("button", { name: "Continue" }).click();
  await device.page.waitForLoadState();
  assert.equal(device.status(), 200);
  await judge(device, "device-sign-in", browser);
  assert.match(await device.page.evaluate("document.body.innerText"), new RegExp(`${user_code}.*sigstore`, "s"));
  await device.page.getByLabel("E-mail address").fill("gina@example.com");
  await device.page.getByRole("button", { name: "Sign in" }).click();
  await device.page.waitForLoadState();
  assert.equal(device.status(), 200);
  await judge(device, "device-done", browser);
  assert.match(await device.page.evaluate("document.body.innerText"), /gina@example\.com.*close this window/s);

  await look("device-wrong", "/device?user_code=BBBB-BBBB", 400);
  await look("device-used", `/device/approve?user_code=${user_code}&email=x`, 400);
  await look("device-hostile", `/device?${new URLSearchParams({ user_code: HOSTILE })}`, 400);
  const odd = await deviceCode({ client_id: HOSTILE, scope: HOSTILE });
  await look("device-sign-in-hostile", `/device?user_code=${odd.user_code}`, 200);
  const query = new URLSearchParams({ user_code: odd.user_code, email: HOSTILE });
  await look("device-done-hostile", `/device/approve?${query}`, 200);
  const late = await deviceCode();
  forward(11 * 60 * 1000);
  await look("device-expired", `/device?user_code=${late.user_code}`, 400);

  await look("not-found", "/login", 404);
  await look("not-found-hostile", `/${encodeURIComponent(HOSTILE)}`, 404);
  await look("other-name", `${base.replace("127.0.0.1", "sandbox.localhost")}/device`, 421);
});

/** Starts a login with the built program. Returns the URL that it would open in a browser. */
async function login(context: TestContext, variables: Readonly<Record<string, string>>) {
  const cwd = folder(context);
  const opener = join(cwd, "xdg-open");
  writeFileSync(opener, `#!/bin/sh\nprintf %s "$1" >'${cwd}/part' && mv '${cwd}/part' '${cwd}/address'\n`);
  chmodSync(opener, 0o755);
  writeFileSync(join(cwd, "blob"), "content");
  const env = { ...variables, HOME: cwd, PATH: `${cwd}:${process.env["PATH"]}` };
  const config = ["--signing-config", `${variables["TSIGN_SANDBOX_SIGNING_CONFIG"]}`];
  const root = ["--trusted-root", `${variables["TSIGN_SANDBOX_TRUSTED_ROOT"]}`];
  const args = ["sign-blob", "--yes", "--fulcio-auth-flow", "normal", ...config, ...root, "--bundle", "b.json", "blob"];
  const child = spawn(TSIGN, args, { cwd, env, stdio: ["ignore", "ignore", "pipe"] });
  context.after(() => child.kill());
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  for (let attempt = 0; attempt < 300 && !existsSync(join(cwd, "address")); attempt++) await setTimeout(50);
  const address = readFileSync(join(cwd, "address"), "utf8");
  return { address, ended: exitOf(child), stderr: () => stderr };
}

function exitOf(child: ChildProcess): Promise<number | null> {
  return new Promise((done) => child.on("close", done));
}

test("login pages: say as whom, or why not, and pass the same checks", async (context) => {
  const { sandbox, browser } = await setUp(context);
  const signIn = async (name: string, email: string) => {
    const { address, ended, stderr } = await login(context, sandbox.variables);
    const window = await browser.open();
    await window.page.goto(address);
    if (email.includes("<")) await window.page.goto(`${address}&${new URLSearchParams({ login_hint: email })}`);
    else {
      await window.page.getByLabel("E-mail address").fill(email);
      await window.page.getByRole("button", { name: "Sign in" }).click();
      await window.page.waitForLoadState();
    }
    await judge(window, name, browser);
    const text: string = await window.page.evaluate("document.body.innerText");
    return { window, text, code: await ended, stderr: stderr() };
  };
  const good = await signIn("signed-in", "fred@example.com");
  assert.equal(good.window.status(), 200);
  assert.match(good.text, /You are signed in.*fred@example\.com.*close this window/s);
  assert.equal(good.code, 0, good.stderr);
  const hostile = await signIn("signed-in-hostile", `${SCRIPT}@example.com${"W".repeat(200)}`);
  assert.equal(hostile.window.status(), 200);
  assert.ok(hostile.text.includes(SCRIPT));

  const { address, ended } = await login(context, sandbox.variables);
  const window = await browser.open();
  const callback = new URL(new URL(address).searchParams.get("redirect_uri") ?? "");
  await window.page.goto(new URL("/elsewhere", callback).href);
  assert.equal(window.status(), 404);
  await judge(window, "signed-in-not-found", browser);
  const state = new URL(address).searchParams.get("state") ?? "";
  callback.search = new URLSearchParams({ state, error: "access_denied", error_description: HOSTILE }).toString();
  await window.page.goto(callback.href);
  assert.equal(window.status(), 400);
  await judge(window, "login-failed-hostile", browser);
  assert.match(await window.page.evaluate("document.body.innerText"), /Login failed.*<script>.*run the command again/s);
  assert.equal(await ended, 1);
});

test("monitor: its page passes the same checks: nothing open, findings and alarms with hostile names, and hundreds", async (context) => {
  const browser = await openBrowser(context);
  const cwd = folder(context);
  for (const [name, looked] of Object.entries(dashboards(HOSTILE))) {
    const path = join(cwd, `${name}.html`);
    writeFileSync(path, dashboard(looked, new Date()));
    const window = await browser.open();
    await window.page.goto(`file://${path}`);
    await judge(window, name, browser, { fullPage: name !== "monitor-many" });
    const text: string = await window.page.evaluate("document.body.innerText");
    for (const { log } of looked.logs) assert.ok(text.includes(log), `${name}: ${log}`);
    for (const { id } of [...looked.state.alarms, ...looked.state.findings].slice(0, 200)) {
      assert.ok(text.includes(id), `${name}: ${id}`);
    }
    assert.equal(text.includes("<script>alert(1)</script>"), name === "monitor-hostile");
    assert.deepEqual(window.faults(), []);
  }
});

test("reports: HTML of 3 and 300 images passes the same checks, and its search hides images; SARIF passes the published schema", async (context) => {
  const browser = await openBrowser(context);
  const cwd = folder(context);
  for (const count of [3, 300]) {
    const result = resultOf(count, HOSTILE);
    const path = join(cwd, `report-${count}.html`);
    writeFileSync(path, htmlReport(result, new Date()));
    const window = await browser.open();
    await window.page.goto(`file://${path}`);
    const shown = (): Promise<number> =>
      window.page.evaluate(`[...document.querySelectorAll("article")].filter((each) => each.checkVisibility()).length`);
    assert.equal(await shown(), count);
    const fullPage = count < 100;
    await judge(window, `report-${count}`, browser, { scripts: 1, fullPage });
    if (fullPage) {
      await window.page.evaluate(`document.querySelectorAll("details").forEach((each) => { each.open = true; })`);
      await judge(window, `report-${count}-open`, browser, { scripts: 1 });
    }
    await window.page.getByLabel("Show images that contain").fill("service-1:");
    assert.equal(await shown(), 1);
    await window.page.getByLabel("Show images that contain").fill("no such image");
    assert.equal(await shown(), 0);
    assert.deepEqual(window.faults(), []);
  }
  const packages = await browserPackages();
  const file = join(packages, "@microsoft/jest-sarif/lib/schemas/sarif-2.1.0-rtm.5.json");
  const { $schema: _, id: __, ...schema } = JSON.parse(readFileSync(file, "utf8"));
  const ajv = new Ajv({ strict: false, validateFormats: false, unicodeRegExp: false });
  const isSarif = ajv.compile(schema);
  for (const count of [0, 3, 300]) {
    assert.ok(isSarif(JSON.parse(sarifReport(resultOf(count, HOSTILE)))), ajv.errorsText(isSarif.errors));
  }
  assert.ok(!isSarif({ version: "2.1.0", runs: [{ results: [] }] }), "a run without a tool");
});

test("reports: JUnit of 0, 3 and 300 images passes the schema of Jenkins, and XML that breaks it does not", async (context) => {
  const cwd = folder(context);
  const [python, ...first] = await junitValidator();
  const good = [0, 3, 300].map((count) => junitReport(resultOf(count, `${HOSTILE}\u0000\ud800`), new Date()));
  const [, report = ""] = good;
  const bad = [
    report.replace(/ name="images"/, ""),
    report.replace(/ classname="image" name="[^"]*"/, ""),
    report.replace("<failure", "<refusal").replace("</failure", "</refusal"),
    report.replace("<testsuites ", '<testsuites state="refused" '),
  ];
  const files = [...good, ...bad].map((text, index) => {
    writeFileSync(join(cwd, `${index}.xml`), text);
    return `${index}.xml`;
  });
  const { stdout } = await must(python, [...first, ...files], { cwd });
  const lines = stdout.trimEnd().split("\n");
  assert.deepEqual(lines.slice(0, good.length), ["valid", "valid", "valid"]);
  assert.equal(lines.length, files.length);
  assert.equal(lines.slice(good.length).includes("valid"), false, stdout);
});
