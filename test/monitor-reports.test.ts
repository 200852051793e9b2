import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { dashboard } from "../src/cli/reports/dashboard.ts";
import { sendMail } from "../src/io/mail.ts";
import { systemIo } from "../src/io/system.ts";
import { assertSchema, jsonAnswer } from "./support/json-answer.ts";
import { ALICE, FOUND, MALLORY, only, stateOf, WELL, type Workshop, workshop } from "./support/monitor-workshop.ts";
import { collector, mailServer } from "./support/receivers.ts";
import { run } from "./support/test-io.ts";

const real = systemIo();

/** Looks once with a configuration that watches for Alice and reports to channels. */
function look(shop: Workshop, reports: object, ...argv: string[]) {
  const identities = [{ identity: ALICE, issuer: shop.sigstore.at.issuer }];
  const config = { version: 1, trustedRoot: "root.json", identities, reports };
  writeFileSync(join(shop.cwd, "config.json"), JSON.stringify(config));
  return shop.monitor("--once", "--state=state.json", "--config=config.json", "--format=json-lines", ...argv);
}

test("monitor: webhook -> every new finding once, signed as Standard Webhooks prescribes", async (t) => {
  const shop = await workshop(t, { entries: 1 });
  const { url, received } = await collector(t);
  const key = Buffer.alloc(32, 7);
  writeFileSync(join(shop.cwd, "secret"), `whsec_${key.toString("base64")}\n`);
  const reports = { webhooks: [{ url: `${url}/hook/T0K3N`, secret: "secret" }] };
  assert.equal((await look(shop, reports)).code, WELL);
  assert.equal(received.length, 0, "nothing to report");
  await shop.sign("rekor1", ALICE);
  await shop.sign("rekor2", MALLORY);
  await shop.sign("rekor2", ALICE);
  const { code, stdout } = await look(shop, reports);
  assert.equal(code, FOUND);
  for (const line of stdout.trim().split("\n")) assertSchema(JSON.parse(line), "monitor-lines.json");
  const [{ url: path, headers, text } = assert.fail(), ...more] = received;
  assert.deepEqual([path, more], ["/hook/T0K3N", []]);
  const report = JSON.parse(text);
  assertSchema(report, "monitor-report.json");
  assert.deepEqual(
    report.findings.map(({ api, index }: { api: number; index: number }) => [api, index]),
    [
      [1, 1],
      [2, 2],
    ],
  );
  const signed = `${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${text}`;
  assert.equal(headers["webhook-signature"], `v1,${createHmac("sha256", key).update(signed).digest("base64")}`);
  assert.equal(headers["webhook-id"], report.id);
  assert.equal((await look(shop, reports)).code, FOUND);
  assert.equal(received.length, 1, "reported once");
  const state = readFileSync(join(shop.cwd, "state.json"), "utf8");
  assert.doesNotMatch(state, /T0K3N|whsec/, "no secret is stored");
});

test("monitor: channel that refuses -> warning, and sent at the next look unless acknowledged", async (t) => {
  const shop = await workshop(t, { entries: 1 });
  const { url, received, answers } = await collector(t);
  writeFileSync(join(shop.cwd, "secret"), "text");
  const reports = { webhooks: [{ url: `${url}/T0K3N`, secret: "secret" }] };
  await shop.sign("rekor1", ALICE, 2);
  answers.push(403);
  const refused = await look(shop, reports);
  assert.equal(refused.code, FOUND);
  assert.match(refused.stderr, /^WARNING: no report to webhook at http:\/\/127\.0\.0\.1:\d+: .*HTTP status 403$/m);
  assert.doesNotMatch(refused.stderr + refused.stdout, /T0K3N/);
  assert.equal(only(shop.lines(refused), "undelivered").length, 1);
  const [first = assert.fail(), second = assert.fail()] = only(shop.lines(refused), "finding");
  await shop.monitor("ack", String(first["id"]), "--state=state.json", "--why=known");
  answers.push(302);
  await look(shop, reports);
  assert.equal(received.length, 2, "a redirect is not followed");
  await look(shop, reports);
  const sent = JSON.parse(received[2]?.text ?? "");
  assert.deepEqual(
    sent.findings.map(({ id }: { id: string }) => id),
    [second["id"]],
  );
  await shop.monitor("ack", String(second["id"]), "--state=state.json", "--why=known");
  await shop.sign("rekor1", ALICE);
  answers.push(500, 500, 500, 500);
  const found = await look(shop, reports);
  assert.equal(found.code, FOUND);
  assert.equal(stateOf(shop).state.findings[2].sent.length, 0);
});

test("monitor --json: acknowledged while a report is under way -> kept, and the report named as undelivered", async (t) => {
  const shop = await workshop(t, { entries: 1 });
  await shop.sign("rekor1", ALICE);
  const found = await look(shop, {});
  const { url, answers } = await collector(t);
  writeFileSync(join(shop.cwd, "secret"), "text");
  answers.push(403);
  let isFirst = true;
  const reports = { webhooks: [{ url, secret: "secret" }] };
  const [finding] = only(shop.lines(found), "finding");
  // Acknowledged while the report is under way.
  const http: typeof real.http = async (request) => {
    if (request.url.origin === url && isFirst) {
      isFirst = false;
      const ack = ["monitor", "ack", String(finding?.["id"]), "--state=state.json", "--why=known"];
      assert.equal((await run(ack, { cwd: shop.cwd })).code, 0);
    }
    return shop.sigstore.io.http(request);
  };
  writeFileSync(
    join(shop.cwd, "config.json"),
    JSON.stringify({ version: 1, trustedRoot: "root.json", digests: [finding?.["digest"]], reports }),
  );
  const argv = ["monitor", "--once", "--json", "--state=state.json", "--config=config.json"];
  const outcome = await run(argv, { cwd: shop.cwd, io: { ...shop.sigstore.io, http } });
  const { document } = jsonAnswer(outcome, "monitor");
  const result = document.result as unknown as { undelivered: { channel: string }[] };
  assert.equal(result.undelivered.length, 1);
  const again = await run(argv, { cwd: shop.cwd, io: shop.sigstore.io });
  assert.equal(again.code, WELL, "the acknowledgement was kept");
});

test("monitor: email -> received by an SMTP server with every finding; a wrong password -> not", async (t) => {
  const shop = await workshop(t, { entries: 1 });
  const { url, mails } = await mailServer(t);
  writeFileSync(join(shop.cwd, "password"), "swordfish\n");
  writeFileSync(join(shop.cwd, "wrong"), "s3cr3t\n");
  const mail = {
    server: url,
    user: "monitor",
    from: "Monitor <monitor@acme.example>",
    to: ["a@acme.example", "b@acme.example"],
  };
  await shop.sign("rekor1", ALICE, 2);
  const refused = await look(shop, { email: [{ ...mail, password: "wrong" }] });
  assert.match(refused.stderr, /WARNING: no report to email through 127\.0\.0\.1:\d+: .+/);
  assert.doesNotMatch(refused.stderr, /s3cr3t/);
  assert.equal(mails.length, 0);
  const sent = await look(shop, { email: [{ ...mail, password: "password" }] });
  assert.doesNotMatch(sent.stderr, /no report/);
  const [{ user, to, text } = assert.fail(), ...more] = mails;
  assert.deepEqual([user, to, more], ["monitor", mail.to, []]);
  assert.match(text, /^Subject: tsign monitor: 2 findings and 0 alarms\r$/m);
  const body = text.replaceAll("=\r\n", "");
  for (const { id } of stateOf(shop).state.findings) assert.ok(body.includes(id), text);
  await look(shop, { email: [{ ...mail, password: "password" }] });
  assert.equal(mails.length, 1, "reported once");
});

test("sendMail: server elsewhere without STARTTLS -> nothing is sent", async (t) => {
  const { url, mails } = await mailServer(t, { authOptional: true });
  // A name of this machine that is not recognized as such.
  const server = new URL(url.replace("127.0.0.1", "0x7f.1.example"));
  const mail = { from: "a@b.example", to: ["c@d.example"], subject: "s", text: "t", messageId: "m@b.example" };
  await assert.rejects(sendMail({ ...mail, server }), /send email through 0x7f\.1\.example:\d+: /);
  assert.deepEqual(mails, []);
  await sendMail({ ...mail, server: new URL(url) });
  assert.equal(mails.length, 1);
});

test("monitor: GitHub issue -> one for each report; a token without permission -> not, with the hint in the reason", async (t) => {
  const shop = await workshop(t, { entries: 1 });
  const { url, received, answers } = await collector(t);
  writeFileSync(join(shop.cwd, "token"), "ghp_s3cr3t\n");
  await shop.sign("rekor2", ALICE);
  const reports = { github: [{ repository: "acme/alerts", token: "token", labels: ["security"], api: url }] };
  answers.push(404);
  const refused = await look(shop, reports);
  assert.match(refused.stderr, /no report to issues of acme\/alerts: create an issue in acme\/alerts: HTTP status 404/);
  await look(shop, reports);
  const [, { url: path, headers, text } = assert.fail()] = received;
  assert.deepEqual([path, headers["authorization"]], ["/repos/acme/alerts/issues", "Bearer ghp_s3cr3t"]);
  const { title, body, labels } = JSON.parse(text);
  assert.match(title, /^tsign monitor: 1 finding and 0 alarms \(r-[0-9a-f]{16}\)$/);
  assert.match(body, /\| `f-[0-9a-f]{16}` \|.+alice@example\.com/);
  assert.deepEqual(labels, ["security"]);
  await look(shop, reports);
  assert.equal(received.length, 2);
});

test("monitor --summary, --metrics: what is open and how the logs are, after each look", async (t) => {
  const shop = await workshop(t, { entries: 1 });
  await shop.sign("rekor1", ALICE);
  for (const fault of ["rekor2:status=404"]) {
    await shop.lookWith([fault], "--summary=summary.md", "--metrics=monitor.prom");
  }
  const text = (name: string) => readFileSync(join(shop.cwd, name), "utf8");
  assert.match(text("summary.md"), /^## tsign monitor: 1 finding and 0 alarms\n/);
  assert.match(text("summary.md"), /unavailable[\s\S]+\| Finding \|[\s\S]+alice@example\.com/);
  const metrics = text("monitor.prom");
  assert.match(metrics, /^tsign_monitor_findings\{state="open"\} 1$/m);
  assert.match(metrics, /^tsign_monitor_log_outcome\{log="[^"]+",api="2",outcome="unavailable"\} 1$/m);
  assert.match(metrics, /^tsign_monitor_log_searched_total\{log="[^"]+",api="1"\} 1$/m);
  assert.match(metrics, /^tsign_monitor_last_look_timestamp_seconds \d{10}/m);
  const lines = metrics.trimEnd().split("\n");
  for (const line of lines)
    assert.match(line, /^(# (HELP|TYPE) tsign_monitor_\w+ .+|tsign_monitor_\w+(\{.+\})? \d+(\.\d+)?)$/);
  for (const { id } of stateOf(shop).state.findings) {
    await shop.monitor("ack", id, "--state=state.json", "--why=known");
  }
  await shop.look("--summary=summary.md", "--metrics=monitor.prom");
  assert.match(text("summary.md"), /^## tsign monitor: 0 findings and 0 alarms\n/);
  assert.match(text("monitor.prom"), /^tsign_monitor_findings\{state="open"\} 0$/m);
});

test("monitor: reports that cannot work -> refused before anything is read", async (t) => {
  const shop = await workshop(t, { entries: 1 });
  writeFileSync(join(shop.cwd, "empty"), "\n");
  writeFileSync(join(shop.cwd, "secret"), "text");
  const hook = { url: "https://hooks.example/x", secret: "secret" };
  for (const [reports, reason] of [
    [{ webhooks: [{ url: "https://hooks.example/x" }] }, /invalid field at reports\.webhooks\.0\.secret/],
    [
      { webhooks: [{ ...hook, url: "http://hooks.example/x" }] },
      /read reports: the URL of a webhook is not encrypted: http:\/\/hooks\.example\nhint: use https/,
    ],
    [{ webhooks: [{ ...hook, secret: "env://HOOK" }] }, /read secret: .*HOOK is not set/],
    [{ webhooks: [{ ...hook, secret: "empty" }] }, /read secret empty: it is empty/],
    [{ github: [{ repository: "acme", token: "secret" }] }, /invalid field at reports\.github\.0\.repository/],
    [{ email: [{ server: "mail.example", from: "a", to: ["b"] }] }, /the mail server does not begin with smtps:\/\//],
    [{ email: [{ server: "smtps://mail.example", from: "a", to: [] }] }, /invalid field at reports\.email\.0\.to/],
    [{ telegram: [] }, /unknown field telegram at reports/],
  ] as const) {
    const { code, stderr } = await look(shop, reports);
    assert.equal(code, 1, stderr);
    assert.match(stderr, reason);
  }
});

test("monitor --dashboard: logs, heads, findings and alarms on one page that loads nothing; names of strangers are escaped", async (t) => {
  const shop = await workshop(t, { entries: 1 });
  const page = () => readFileSync(join(shop.cwd, "monitor.html"), "utf8");
  await shop.look("--dashboard=monitor.html");
  const { logs } = stateOf(shop).state;
  assert.match(page(), /<h1>All logs are well, nothing is open<\/h1>/);
  for (const { url, head } of logs) assert.ok(page().includes(url) && page().includes(head.root));
  await shop.sign("rekor1", ALICE);
  await shop.sign("rekor2", MALLORY);
  await shop.lookWith(["rekor2:forked=0"], "--dashboard=monitor.html");
  const [finding] = stateOf(shop).state.findings;
  const [alarm] = stateOf(shop).state.alarms;
  assert.match(page(), /<h1>1 finding and 1 alarm<\/h1>/);
  for (const text of [finding.id, ALICE, alarm.id, "alarm: rewritten", "misbehaved"])
    assert.ok(page().includes(text), text);
  assert.doesNotMatch(page(), /(?:src|href|action)=|<script|url\(|@import/);
  assert.match(
    page(),
    /http-equiv="Content-Security-Policy" content="default-src &#39;none&#39;; style-src &#39;sha256-/,
  );
  assert.match(page(), /name="viewport" content="width=device-width/);
  for (const { id } of [finding, alarm]) await shop.monitor("ack", id, "--state=state.json", "--why=known");
  await shop.look("--dashboard=monitor.html");
  assert.match(page(), /<h1>All logs are well, nothing is open<\/h1>/);
  const hostile = "</dd><script>alert(1)</script>\u202e";
  const looked = {
    state: { ...stateOf(shop).state, findings: [{ ...finding, signer: hostile }] },
    logs: [],
    undelivered: [],
    unread: [],
  };
  const text = dashboard(looked, new Date());
  assert.ok(!text.includes("\u202e") && !text.includes("<script") && text.includes("&#60;script&#62;alert(1)"), text);
});
