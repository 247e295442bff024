import { Text, UnstyledButton } from '@mantine/core';
import { IconChevronRight } from '@tabler/icons-react';
import { useState } from 'react';
import { LogView } from '@/runs/LogView';
import type { StepLive } from '@/runs/live';
import { words } from '@/text/language';
import classes from '../panel.module.css';

/** What a step says: its log, and the text that it streams. Open by itself while it speaks. */
export function StepTalk({ step }: { readonly step: StepLive }) {
  const [chosen, setChosen] = useState<boolean | null>(null);
  const says = step.logged > 0 || step.text !== '';
  const open = chosen ?? (says && step.status === 'running');
  if (!says) return null;
  return (
    <div className={classes.talk}>
      <UnstyledButton className={classes.talkHead} aria-expanded={open} onClick={() => setChosen(!open)}>
        <IconChevronRight size={14} className={classes.chevron} data-open={open || undefined} />
        <Text size="xs">
          {words.panel.logs}
          {step.logged > 0 && ` (${step.logged})`}
        </Text>
      </UnstyledButton>
      {open && step.text && <pre className={classes.talkText}>{step.text}</pre>}
      {open && step.logged > 0 && (
        <div className={classes.talkLines}>
          <LogView lines={step.log} />
        </div>
      )}
    </div>
  );
}
