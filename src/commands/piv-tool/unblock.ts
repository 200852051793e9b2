import { pivCommand } from "../../cli/options/piv.ts";
import { flag } from "../../cli/parser/define.ts";

export default pivCommand({
  name: "unblock",
  summary: "Set a new PIN on a blocked PIV token",
  flags: { newPIN: flag.string("new PIN", { secret: true }), puk: flag.string("current PUK", { secret: true }) },
});
