import { pivCommand } from "../../cli/options/piv.ts";

export default pivCommand({
  name: "reset",
  summary: "Set a PIV token back to how it was delivered",
  flags: {},
});
