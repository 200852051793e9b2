import type { ImageRecord, ImagesResult } from "../../src/cli/reports/record.ts";

const DIGEST = `sha256:${"0123456789abcdef".repeat(4)}`;
const STATES = ["verified", "refused", "unsigned", "not-found", "unchecked"] as const;

/** The result of verifying images, in all states in turn, one of them with a name of markup. */
export function resultOf(count: number, hostile: string): ImagesResult {
  const images = Array.from({ length: count }, (_, index) => recordOf(index, hostile));
  const countOf = (state: string) => images.filter((each) => each.state === state).length;
  const counts = Object.fromEntries(STATES.map((state) => [state, countOf(state)])) as Record<
    (typeof STATES)[number],
    number
  >;
  return { images, summary: { total: count, ...counts } };
}

function recordOf(index: number, hostile: string): ImageRecord {
  const state = STATES[index % STATES.length] ?? "verified";
  const image = index === 2 ? hostile : `registry.example/team/service-${index}:v1.${index}.0`;
  const checks = [
    { name: "log", outcome: "passed", detail: "entry 4711 is included in the log" },
    { name: "signature", outcome: "passed", detail: "the signature verifies with the key of the certificate" },
    { name: "time", outcome: "skipped", detail: "the key has no validity" },
  ] as const;
  const place = `registry.example/team/service-${index}@${DIGEST}`;
  if (state === "verified") {
    const identity = "https://github.com/acme/widget/.github/workflows/release.yml@refs/heads/main";
    const signer = {
      kind: "certificate",
      identity,
      issuer: "https://token.actions.githubusercontent.com",
      extensions: {},
    } as const;
    const times = [{ time: "2026-09-01T12:00:00Z", source: "transparency log" }] as const;
    const signature = { verified: true, place, form: "bundle", signer, times, logEntries: [], checks } as const;
    return { image, state, digest: DIGEST, pinned: place, signatures: [signature], missed: [] };
  }
  const compared = { expected: "release@example.com", actual: hostile };
  const failed = { name: "identity", outcome: "failed", detail: "identity mismatch", ...compared } as const;
  const failure = { check: "identity", reason: "identity mismatch", ...compared } as const;
  const signatures =
    state === "refused" ? [{ verified: false, place, checks: [...checks, failed], failure } as const] : [];
  const error = {
    code: "no-match",
    message: `no matching signatures for ${image}`,
    hint: "run `tsign tree --signers`",
    fields: {},
  };
  return { image, state, signatures, missed: [], error };
}
