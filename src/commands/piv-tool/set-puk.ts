import { pivCommand } from "../../cli/options/piv.ts";
import { flag } from "../../cli/parser/define.ts";

export default pivCommand({
  name: "set-puk",
  summary: "Change the PUK of a PIV token",
  flags: { newPuk: flag.string("new PUK", { secret: true }), oldPuk: flag.string("current PUK", { secret: true }) },
});
