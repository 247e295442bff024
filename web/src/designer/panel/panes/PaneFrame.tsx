import { ActionIcon, Group, Text, Tooltip } from '@mantine/core';
import { IconLayoutSidebarLeftCollapse, IconLayoutSidebarRightCollapse } from '@tabler/icons-react';
import type { ReactNode } from 'react';
import { fill, words } from '@/text/language';
import classes from '../panel.module.css';

interface Props {
  readonly title: string;
  readonly side: 'left' | 'right';
  readonly onCollapse: () => void;
  /** Beside the title: a choice, badges, buttons. */
  readonly head?: ReactNode;
  readonly children: ReactNode;
}

/** A pane at the side of the parameters. */
export function PaneFrame({ title, side, onCollapse, head, children }: Props) {
  const Icon = side === 'left' ? IconLayoutSidebarLeftCollapse : IconLayoutSidebarRightCollapse;
  return (
    <section className={classes.pane} aria-label={title} tabIndex={-1}>
      <Group gap={8} wrap="nowrap" className={classes.paneHead}>
        <Text size="xs" fw={700} tt="uppercase" className={classes.paneTitle}>
          {title}
        </Text>
        <div className={classes.paneTools}>{head}</div>
        <Tooltip label={fill(words.panel.collapse, { pane: title })}>
          <ActionIcon
            size="sm"
            variant="subtle"
            color="gray"
            className={classes.collapse}
            aria-label={fill(words.panel.collapse, { pane: title })}
            onClick={onCollapse}
          >
            <Icon size={16} />
          </ActionIcon>
        </Tooltip>
      </Group>
      <div className={classes.paneBody}>{children}</div>
    </section>
  );
}

/** What stands where there are no data: why, and what can be done. */
export function Empty(props: { readonly title: string; readonly hint?: string; readonly children?: ReactNode }) {
  return (
    <div className={classes.empty}>
      <Text size="sm" fw={600}>
        {props.title}
      </Text>
      {props.hint && (
        <Text size="sm" c="dimmed" maw={280}>
          {props.hint}
        </Text>
      )}
      {props.children && <Group justify="center">{props.children}</Group>}
    </div>
  );
}
