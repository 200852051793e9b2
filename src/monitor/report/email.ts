import type { Io } from "../../io/io.ts";
import { type Channel, countsOf } from "./report.ts";
import { plainReport } from "./text.ts";

/** A channel that sends reports by email through an SMTP server. */
export function email(
  io: Pick<Io, "sendMail">,
  options: { server: URL; user?: string; password?: string; from: string; to: readonly string[]; id: string },
): Channel {
  const { id, ...mail } = options;
  const domain = /@([A-Za-z0-9.-]+)>?$/.exec(mail.from)?.[1] ?? "localhost";
  return {
    id,
    name: `email through ${mail.server.host}`,
    send: (report) =>
      io.sendMail({
        ...mail,
        subject: `tsign monitor: ${countsOf(report)}`,
        text: plainReport(report),
        messageId: `${report.id}@${domain}`,
      }),
  };
}
