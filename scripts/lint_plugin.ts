/**
 * The style rules that need a syntax tree, as a `deno lint` plugin (used through `scripts/lint.json`; `tidy` refuses
 * comments that switch one off without saying why).
 */

const ROOT = decodeURIComponent(new URL("../", import.meta.url).pathname);
const FUNCTION_LINES = 70;

/** Calls that tie code to the real clock or to real randomness. */
const AMBIENT = new Set([
  "Date.now",
  "Math.random",
  "crypto.getRandomValues",
  "crypto.randomUUID",
  "performance.now",
  "setInterval",
  "setTimeout",
]);

/** Where people's eyes are the destination; everywhere else there is a logger. */
const MAY_PRINT = /^(agent\/ui\/|scripts\/|tests\/|main\.ts$)|_test\.ts$/;

type FunctionNode =
  | Deno.lint.FunctionDeclaration
  | Deno.lint.FunctionExpression
  | Deno.lint.ArrowFunctionExpression;

function pathOf(context: Deno.lint.RuleContext): string {
  return context.filename.startsWith(ROOT) ? context.filename.slice(ROOT.length) : context.filename;
}

/** `a` for an identifier, `a.b` for a plain member of one, with a leading `globalThis.` cut off. */
function calleeName(callee: Deno.lint.Node): string {
  if (callee.type === "Identifier") return callee.name;
  if (callee.type !== "MemberExpression" || callee.computed) return "";
  const property = callee.property.type === "Identifier" ? callee.property.name : "";
  const object = calleeName(callee.object);
  return object === "globalThis" ? property : `${object}.${property}`;
}

/** Functions are read in one screen: at most 70 lines from the first to the last. */
const functionLength: Deno.lint.Rule = {
  create(context) {
    function check(node: FunctionNode): void {
      const lines = context.sourceCode.getText(node).split("\n").length;
      if (lines <= FUNCTION_LINES) return;
      context.report({ node, message: `Function of ${lines} lines, at most ${FUNCTION_LINES}` });
    }
    return {
      FunctionDeclaration: check,
      FunctionExpression: check,
      ArrowFunctionExpression: check,
    };
  },
};

/** The broker's core takes time and randomness from its clock, so that a test or a simulation can own them. */
const injectedClock: Deno.lint.Rule = {
  create(context) {
    const path = pathOf(context);
    const free = !path.startsWith("broker/core/") || path === "broker/core/clock.ts" ||
      path.endsWith("_test.ts");
    if (free) return {};
    return {
      CallExpression(node) {
        const name = calleeName(node.callee);
        if (!AMBIENT.has(name)) return;
        context.report({ node, message: `"${name}" in the core: take it from the clock` });
      },
      NewExpression(node) {
        if (calleeName(node.callee) !== "Date" || node.arguments.length > 0) return;
        context.report({ node, message: `"new Date()" in the core: take the time from the clock` });
      },
    };
  },
};

/** Output for people belongs to `agent/ui`; a program's own words go through the logger. */
const noConsole: Deno.lint.Rule = {
  create(context) {
    if (MAY_PRINT.test(pathOf(context))) return {};
    return {
      MemberExpression(node) {
        if (node.object.type !== "Identifier" || node.object.name !== "console") return;
        context.report({ node, message: "console outside agent/ui: use the logger" });
      },
    };
  },
};

/** `#field` is private at run time too; the keyword is not. Only for a constructor there is no other way. */
const hashPrivate: Deno.lint.Rule = {
  create(context) {
    function check(node: Deno.lint.Node): void {
      if (!/^(@\S+\s+)*private\s+(?!constructor\b)/.test(context.sourceCode.getText(node))) return;
      context.report({ node, message: `"private": use a #name` });
    }
    return {
      MethodDefinition: check,
      PropertyDefinition: check,
      AccessorProperty: check,
      TSParameterProperty: check,
    };
  },
};

/** A module's functions are hoisted and named: `function`, not a constant that holds an arrow. */
const topLevelFunction: Deno.lint.Rule = {
  create(context) {
    return {
      "Program > VariableDeclaration > VariableDeclarator > ArrowFunctionExpression"(node) {
        context.report({ node, message: "Arrow function at the top level: use function" });
      },
      "Program > ExportNamedDeclaration > VariableDeclaration > VariableDeclarator > ArrowFunctionExpression"(
        node,
      ) {
        context.report({ node, message: "Arrow function at the top level: use function" });
      },
    };
  },
};

/** A test that sleeps is slow on a good day and wrong on a bad one: it waits for an event. */
const noSleepInTest: Deno.lint.Rule = {
  create(context) {
    if (!pathOf(context).endsWith("_test.ts")) return {};
    return {
      "NewExpression[callee.name='Promise'] CallExpression[callee.name='setTimeout']"(
        node: Deno.lint.CallExpression,
      ) {
        const [called] = node.arguments;
        if (called?.type !== "Identifier" || /^(reject|fail)/.test(called.name)) return;
        context.report({ node, message: "Sleep in a test: wait for an event" });
      },
    };
  },
};

const plugin: Deno.lint.Plugin = {
  name: "claudemesh",
  rules: {
    "function-length": functionLength,
    "injected-clock": injectedClock,
    "no-console": noConsole,
    "hash-private": hashPrivate,
    "top-level-function": topLevelFunction,
    "no-sleep-in-test": noSleepInTest,
  },
};

export default plugin;
