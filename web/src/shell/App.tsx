import { Center, Loader, UnstyledButton } from '@mantine/core';
import {
  IconError404,
  IconKey,
  IconPlayerPlay,
  IconPuzzle,
  IconSettings,
  IconTopologyStar3,
} from '@tabler/icons-react';
import { lazy, type ReactNode, Suspense, useEffect, useRef } from 'react';
import { Link, Route, Router, Switch, useLocation } from 'wouter';
import { useHashLocation } from 'wouter/use-hash-location';
import { words } from '@/text/language';
import { EmptyState } from '@/widgets/EmptyState';
import { ErrorBoundary } from '@/widgets/ErrorBoundary';
import classes from './App.module.css';
import { useOpenFile } from './home/useOpenFile';
import { SessionBanner } from './SessionBanner';

const Home = lazy(() => import('./HomePage'));
const GraphPage = lazy(() => import('@/designer/GraphPage'));
const RunsPage = lazy(() => import('@/runs/RunsPage'));
const ComparePage = lazy(() => import('@/runs/compare/ComparePage'));
const RunPage = lazy(() => import('@/runs/RunPage'));
const CredentialsPage = lazy(() => import('./CredentialsPage'));
const NodesPage = lazy(() => import('./NodesPage'));
const SettingsPage = lazy(() => import('./SettingsPage'));

const AREAS: readonly { path: string; label: string; icon: ReactNode }[] = [
  { path: '/', label: words.shell.graphs, icon: <IconTopologyStar3 size={20} /> },
  { path: '/runs', label: words.shell.runs, icon: <IconPlayerPlay size={20} /> },
  { path: '/credentials', label: words.shell.credentials, icon: <IconKey size={20} /> },
  { path: '/nodes', label: words.shell.nodes, icon: <IconPuzzle size={20} /> },
  { path: '/settings', label: words.shell.settings, icon: <IconSettings size={20} /> },
];

/** The whole application: navigation beside the page that the address names (`#/graphs/triage`). */
export function App() {
  const main = useRef<HTMLElement>(null);
  return (
    <Router hook={useHashLocation}>
      <button type="button" className="skip" onClick={() => main.current?.focus()}>
        {words.shell.skip}
      </button>
      <div className={classes.app}>
        <Navigation />
        <main ref={main} tabIndex={-1} className={classes.main}>
          <SessionBanner />
          <div className={classes.content}>
            <Page />
          </div>
        </main>
      </div>
      <DroppedFiles />
    </Router>
  );
}

/** A file that is dropped anywhere opens as a graph: the browser would leave the page for it. */
function DroppedFiles() {
  const open = useOpenFile();
  useEffect(() => {
    const takes = (event: DragEvent) => !event.defaultPrevented && event.dataTransfer?.types.includes('Files');
    const over = (event: DragEvent) => {
      if (takes(event)) event.preventDefault();
    };
    const drop = (event: DragEvent) => {
      if (!takes(event)) return;
      event.preventDefault();
      void open(event.dataTransfer?.files[0] ?? null);
    };
    window.addEventListener('dragover', over);
    window.addEventListener('drop', drop);
    return () => {
      window.removeEventListener('dragover', over);
      window.removeEventListener('drop', drop);
    };
  }, [open]);
  return null;
}

function Page() {
  const [path] = useLocation();
  return (
    <ErrorBoundary place={path}>
      <Suspense fallback={<Waiting />}>
        <Switch>
          <Route path="/" component={Home} />
          <Route path="/graphs/:id">{({ id }) => <GraphPage key={id} id={id} />}</Route>
          <Route path="/runs">{() => <RunsPage />}</Route>
          <Route path="/runs/of/:graph">{({ graph }) => <RunsPage key={graph} graph={graph} />}</Route>
          <Route path="/runs/:a/compare/:b">{({ a, b }) => <ComparePage key={`${a} ${b}`} a={a} b={b} />}</Route>
          <Route path="/runs/:id">{({ id }) => <RunPage key={id} id={id} />}</Route>
          <Route path="/credentials" component={CredentialsPage} />
          <Route path="/nodes/:use?">{({ use }) => <NodesPage use={use} />}</Route>
          <Route path="/settings" component={SettingsPage} />
          <Route>
            <NotFound />
          </Route>
        </Switch>
      </Suspense>
    </ErrorBoundary>
  );
}

function Navigation() {
  const [path] = useLocation();
  const area = [...AREAS].reverse().find((one) => path.startsWith(one.path)) ?? AREAS[0];
  useEffect(() => {
    document.title = `${area?.label} · ${words.shell.name}`;
  }, [area]);
  return (
    <nav aria-label={words.shell.name} className={classes.navigation}>
      {AREAS.map((one) => (
        <UnstyledButton
          key={one.path}
          component={Link}
          href={one.path}
          className={classes.link ?? ''}
          title={one.label}
          aria-current={one === area ? 'page' : undefined}
        >
          <span aria-hidden className={classes.icon}>
            {one.icon}
          </span>
          <span className={classes.label}>{one.label}</span>
        </UnstyledButton>
      ))}
    </nav>
  );
}

function NotFound() {
  return (
    <EmptyState icon={<IconError404 size={36} />} title={words.shell.notFound}>
      <Link href="/">{words.shell.home}</Link>
    </EmptyState>
  );
}

function Waiting() {
  return (
    <Center h="100%">
      <Loader aria-label={words.shell.loading} />
    </Center>
  );
}
