// Evaluates expressions by the npm package n8n-workflow: the oracle of differential tests, and the peer of benchmarks.
// Reads {engine, timezone, item, items, expressions, rounds} from standard input, a line each time; answers each with a
// line: for every expression its value as JSON or the error's text, and microseconds for one evaluation, in the best of
// five turns of `rounds`.
const readline = require('node:readline');
const { Expression, Workflow } = require('n8n-workflow');

const nodeTypes = {
  getByName: () => ({ description: { properties: [] } }),
  getByNameAndVersion: () => ({ description: { properties: [] } }),
  getKnownTypes: () => ({}),
};

async function prepare({ engine, timezone }) {
  const node = { id: 'A', name: 'A', type: 'any', typeVersion: 1, position: [0, 0], parameters: {} };
  const workflow = new Workflow({
    id: 'w', name: 'w', nodes: [node], connections: {}, active: false, nodeTypes, settings: { timezone },
  });
  Expression.setExpressionEngine(engine);
  if (engine === 'vm') {
    await Expression.initExpressionEngine({
      engine, bridgeTimeout: 5000, bridgeMemoryLimit: 128, poolSize: 1, maxCodeCacheSize: 1024,
    });
    await workflow.expression.acquireIsolate();
  }
  return workflow;
}

function answer(workflow, { item, items = 1, expressions, rounds = 0 }) {
  const given = Array.from({ length: items }, () => ({ json: item }));
  return expressions.map((code) => {
    const text = `={{ ${code} }}`;
    const evaluate = () =>
      workflow.expression.resolveSimpleParameterValue(text, {}, null, 0, 0, 'A', given, 'manual', {});
    const found = {};
    try {
      const value = evaluate();
      found.value = JSON.stringify(value === undefined ? null : value) ?? 'null';
    } catch (error) {
      return { error: String(error.message) };
    }
    if (rounds > 0) {
      found.microseconds = Infinity;
      for (let turn = 0; turn < 5; turn++) {
        const start = process.hrtime.bigint();
        for (let round = 0; round < rounds; round++) evaluate();
        found.microseconds = Math.min(found.microseconds, Number(process.hrtime.bigint() - start) / 1000 / rounds);
      }
    }
    return found;
  });
}

(async () => {
  let workflow;
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const asked = JSON.parse(line);
    workflow ??= await prepare(asked);
    process.stdout.write(`${JSON.stringify(answer(workflow, asked))}\n`);
  }
  process.exit(0);
})();
