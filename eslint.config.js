import tseslint from 'typescript-eslint';

const ownClock = {
  selector: "NewExpression[callee.name='Date'][arguments.length=0]",
  message: 'Time is an argument: take a Clock.',
};

export default tseslint.config(
  { ignores: ['dist/', 'coverage/', 'node_modules/', '.verigo/', 'agent/rpc/gen/', '*.js', '*.cjs'] },
  ...tseslint.configs.strictTypeChecked,
  ...tseslint.configs.stylisticTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      '@typescript-eslint/strict-boolean-expressions': 'error',
      '@typescript-eslint/explicit-module-boundary-types': 'error',
      '@typescript-eslint/no-non-null-assertion': 'error',
      '@typescript-eslint/return-await': ['error', 'always'],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/no-import-type-side-effects': 'error', // a type must not load the module it lives in
      '@typescript-eslint/no-unsafe-class-instance-assignment': 'off', // overflows the stack on recursive types (8.73.0)
      '@typescript-eslint/require-await': 'off', // a Fastify plugin is async even when it awaits nothing
      complexity: ['error', 10],
      'max-depth': ['error', 3],
      'max-lines': ['error', 300],
      'max-lines-per-function': ['error', { max: 60, skipComments: true, skipBlankLines: true }],
      'no-restricted-properties': ['error', { object: 'process', property: 'env' }],
      'no-restricted-syntax': ['error', ownClock],
      'no-restricted-globals': ['error', 'Buffer'],
      'no-console': 'error',
    },
  },
  // Buffer is the fast way between bytes and text; bytes/ wraps it for everyone else.
  { files: ['server/bytes/**', 'test/**'], rules: { 'no-restricted-globals': 'off' } },
  {
    // The edges of the program: the real clock, the real environment, the terminal.
    files: ['server/main.ts', 'server/cli/**', 'server/clock.ts', 'agent/main.ts'],
    rules: { 'no-restricted-properties': 'off', 'no-restricted-syntax': 'off' },
  },
  // Services are objects of closures: none of their methods uses `this`, and wiring hands them on one by one.
  {
    files: ['server/compose.ts', 'server/composition/**'],
    rules: { '@typescript-eslint/unbound-method': 'off' },
  },
  {
    files: ['test/**', 'vitest.config.ts'],
    rules: {
      'max-lines-per-function': 'off',
      'no-restricted-properties': 'off',
      'no-restricted-syntax': 'off',
      'no-console': 'off',
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/unbound-method': 'off', // as above
      '@typescript-eslint/explicit-module-boundary-types': 'off',
    },
  },
);
