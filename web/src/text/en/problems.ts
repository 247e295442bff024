export const problems = {
  title: 'Problems',
  none: 'No problems',
  noneHint: 'The graph can be run.',
  errors: '{count} errors',
  oneError: '1 error',
  warnings: '{count} warnings',
  oneWarning: '1 warning',
  error: 'Error',
  warning: 'Warning',
  go: 'Go to {node}',
  fixAll: 'Fix all {count}',
  fixed: 'Fixed: {title}',
};
