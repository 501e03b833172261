// The language server dies under the user's hands, and comes back by itself.
import { travel, until } from "./vscode.mjs";

await travel(async (user) => {
  const seen = {};
  await user.open("mismatch.py");
  await user.squiggle();
  const servers = user.servers();
  const workers = user.workers();
  seen.servers = servers.length;
  for (const id of servers) process.kill(Number(id), "SIGKILL");

  const gone = (ids, now) => ids.every((id) => !now.includes(id));
  await until(async () => gone(workers, user.workers()), "the workers of the dead server to end");
  await until(async () => user.servers().length === 1, "a new server");
  await user.noSquiggle();
  await user.squiggle();
  seen.newServer = gone(servers, user.servers());
  seen.notifications = await user.notifications();
  return seen;
});
