/// <reference path="./.sst/platform/config.d.ts" />
// `sst dev --stage local`: the processes of `npm start`, each in a pane of its own. The stages in a cloud are not here yet.
export default $config({
  app({ stage }) {
    if (stage !== 'local')
      throw new Error(`stage ${stage}: there is no other than "local" yet (sst dev --stage local)`);
    return { name: 'cortexos', home: 'local' };
  },
  async run() {
    const { devCommands } = await import('./local/dev-commands.ts');
    for (const { name, command, environment } of devCommands()) {
      new sst.x.DevCommand(name, { dev: { title: name, command, autostart: true }, environment });
    }
  },
});
