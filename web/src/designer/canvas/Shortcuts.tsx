import { CloseButton, Group, Title } from '@mantine/core';
import { useEffect, useRef } from 'react';
import { ACTIONS } from '@/actions';
import { words } from '@/text/language';
import { Keys } from './CommandPalette';
import classes from './CommandPalette.module.css';
import type { DialogProps } from './Dialogs';

const GROUPS: { readonly [group: string]: string } = words.canvas.groups;

/** All keys, by group. */
export default function Shortcuts({ onClose }: DialogProps) {
  const dialog = useRef<HTMLDivElement>(null);
  useEffect(() => dialog.current?.focus(), []);
  const withKeys = ACTIONS.filter((one) => one.keys?.length);
  const groups = [...new Set(withKeys.map((one) => one.group))];
  return (
    <div className={classes.shade} onPointerDown={(event) => event.target === event.currentTarget && onClose()}>
      <div
        ref={dialog}
        className={`${classes.dialog} ${classes.wide}`}
        role="dialog"
        aria-modal="true"
        aria-label={words.canvas.shortcuts}
        tabIndex={-1}
        onKeyDown={(event) => {
          if (event.key !== 'Escape') return;
          event.stopPropagation();
          onClose();
        }}
      >
        <Group justify="space-between" mb="md">
          <Title order={2} size="h4">
            {words.canvas.shortcuts}
          </Title>
          <CloseButton aria-label={words.canvas.close} onClick={onClose} />
        </Group>
        {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls */}
        <div className={classes.sheet} tabIndex={0} role="document" aria-label={words.canvas.shortcuts}>
          {groups.map((group) => (
            <section key={group}>
              <h3>{GROUPS[group]}</h3>
              <dl>
                {withKeys
                  .filter((one) => one.group === group)
                  .map((one) => (
                    <div key={one.id}>
                      <dt>{one.title}</dt>
                      <dd>{one.keys?.[0] && <Keys chord={one.keys[0]} />}</dd>
                    </div>
                  ))}
              </dl>
            </section>
          ))}
        </div>
      </div>
    </div>
  );
}
