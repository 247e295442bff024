import { Anchor, AppShell, Center, Group, Loader, NavLink, Text } from '@mantine/core';
import { IconKey, IconPlayerPlay, IconPuzzle, IconSettings, IconTopologyStar3 } from '@tabler/icons-react';
import { lazy, type ReactNode, Suspense } from 'react';
import { Link, Route, Router, Switch, useLocation } from 'wouter';
import { useHashLocation } from 'wouter/use-hash-location';
import { words } from '@/text/language';

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
  return (
    <Router hook={useHashLocation}>
      <a className="skip" href="#main">
        {words.shell.skip}
      </a>
      <AppShell navbar={{ width: 64, breakpoint: 0 }} padding={0}>
        <AppShell.Navbar p={8}>
          <Navigation />
        </AppShell.Navbar>
        <AppShell.Main id="main" tabIndex={-1} h="100dvh">
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
                <Center h="100%">
                  <Group>
                    <Text>{words.shell.notFound}</Text>
                    <Anchor component={Link} href="/">
                      {words.shell.home}
                    </Anchor>
                  </Group>
                </Center>
              </Route>
            </Switch>
          </Suspense>
        </AppShell.Main>
      </AppShell>
    </Router>
  );
}

function Navigation() {
  const [path] = useLocation();
  return (
    <nav aria-label={words.shell.name}>
      {AREAS.map((area) => (
        <NavLink
          key={area.path}
          component={Link}
          href={area.path}
          leftSection={area.icon}
          aria-label={area.label}
          title={area.label}
          active={area.path === '/' ? path === '/' || path.startsWith('/graphs') : path.startsWith(area.path)}
        />
      ))}
    </nav>
  );
}

function Waiting() {
  return (
    <Center h="100%">
      <Loader aria-label={words.shell.loading} />
    </Center>
  );
}
