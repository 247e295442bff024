import { Button, Code, Group } from '@mantine/core';
import { IconMoodSad } from '@tabler/icons-react';
import { Component, type ReactNode } from 'react';
import { words } from '@/text/language';
import { EmptyState } from './EmptyState';

interface Props {
  /** Another one, and what failed before is tried again: the page's address. */
  readonly place: string;
  readonly children: ReactNode;
}

interface State {
  readonly error: Error | null;
  readonly place: string;
}

const MISSING = /dynamically imported module|module script|Failed to fetch|preload/i;

/** Shows what has failed in place of the part of the page that has, with ways to go on. */
export class ErrorBoundary extends Component<Props, State> {
  override state: State = { error: null, place: this.props.place };

  static getDerivedStateFromError(error: unknown): Partial<State> {
    return { error: error instanceof Error ? error : new Error(String(error)) };
  }

  static getDerivedStateFromProps(props: Props, state: State): Partial<State> | null {
    return props.place === state.place ? null : { error: null, place: props.place };
  }

  override render() {
    const { error } = this.state;
    if (!error) return this.props.children;
    // A page of before an update asks for files that are no longer there.
    const missing = MISSING.test(error.message);
    return (
      <div role="alert">
        <EmptyState
          icon={<IconMoodSad size={36} />}
          title={missing ? words.shell.missing : words.shell.failed}
          hint={missing ? words.shell.missingHint : words.shell.failedHint}
        >
          <Code maw={600}>{error.message}</Code>
          <Group>
            {!missing && (
              <Button variant="default" onClick={() => this.setState({ error: null })}>
                {words.shell.again}
              </Button>
            )}
            <Button variant={missing ? 'filled' : 'default'} onClick={() => window.location.reload()}>
              {words.shell.reload}
            </Button>
            <Button variant="subtle" component="a" href="#/">
              {words.shell.home}
            </Button>
          </Group>
        </EmptyState>
      </div>
    );
  }
}
