/** The thread of the language service. TypeScript is loaded here and nowhere else. */
import { parentPort, workerData } from "node:worker_threads";
import type { LanguageOptions } from "./client.ts";
import type { Question } from "./protocol.ts";
import { service } from "./service.ts";

const language = service(workerData as LanguageOptions);

function answer(question: Question): unknown {
  switch (question.op) {
    case "complete":
      return language.complete(question.code, question.cursor);
    case "inspect":
      return language.inspect(question.code, question.cursor);
    case "isComplete":
      return language.isComplete(question.code);
    case "check":
      return language.check(question.run, question.name, question.code, question.keep);
    case "declare":
      return language.declare(question.run, question.name, question.code);
    case "forget":
      return language.forget(question.run);
    case "preloaded":
      return language.preloaded(question.names, question.url, question.package);
  }
}

parentPort!.on("message", (question: Question) => {
  let result: unknown;
  try {
    result = answer(question);
  } catch {
    // A crash inside TypeScript costs this one answer.
    result = undefined;
  }
  parentPort!.postMessage({ id: question.id, answer: result });
});
