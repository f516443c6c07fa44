/** The thread of the language service. TypeScript is loaded here and nowhere else. */
import { parentPort } from "node:worker_threads";
import type { Question } from "./protocol.ts";
import { service } from "./service.ts";

const sessions = new Map<number, ReturnType<typeof service>>();

function answer(question: Exclude<Question, { op: "open" | "close" }>): unknown {
  const language = sessions.get(question.seat);
  switch (question.op) {
    case "complete":
      return language?.complete(question.code, question.cursor);
    case "inspect":
      return language?.inspect(question.code, question.cursor);
    case "isComplete":
      return language?.isComplete(question.code);
    case "check":
      return language?.check(question.run, question.name, question.code, question.keep);
    case "declare":
      return language?.declare(question.run, question.name, question.code);
    case "forget":
      return language?.forget(question.run);
    case "preloaded":
      return language?.preloaded(question.names, question.url, question.package);
  }
}

parentPort!.on("message", (question: Question) => {
  if (question.op === "open") return void sessions.set(question.seat, service(question.options));
  if (question.op === "close") {
    sessions.get(question.seat)?.close();
    sessions.delete(question.seat);
    return;
  }
  let result: unknown;
  try {
    result = answer(question);
  } catch {
    // A crash inside TypeScript costs this one answer.
    result = undefined;
  }
  parentPort!.postMessage({ seat: question.seat, id: question.id, answer: result });
});
