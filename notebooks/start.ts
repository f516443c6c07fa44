/** The program of 00-start.ipynb as a script: `npx tsx notebooks/start.ts`. */
import { adam, classes, compare, digits, ewc, joint, mlp, naive, replay } from "thalweg";

const stream = classes(digits()).split(5).scenario("class");

const study = stream
  .learn(mlp({ hidden: [100, 100] }))
  .with(adam({ lr: 1e-3 }))
  .train({ batch: 10, epochs: 10 });

const methods = [naive(), replay({ capacity: 200 }), ewc({ lambda: 100 }), joint()];
const results = await compare(...methods.map((method) => study.by(method)), { seeds: 3 });
console.log(results.toText());
