complete --keep-order --exclusive --command bottle-freeze --arguments "(COMPLETE=fish bottle-freeze -- (commandline --current-process --tokenize --cut-at-cursor) (commandline --current-token))"
