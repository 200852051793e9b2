/** An email, and the SMTP server that takes it. */
export interface Mail {
  /** `smtp://HOST:PORT`, which must offer STARTTLS unless it is on this machine, or `smtps://HOST:PORT`. */
  readonly server: URL;
  readonly user?: string;
  readonly password?: string;
  readonly from: string;
  readonly to: readonly string[];
  readonly subject: string;
  readonly text: string;
  /** Without angle brackets. */
  readonly messageId: string;
}
