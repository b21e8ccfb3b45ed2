"""What a run finds: folders, Git, processes, versions, a terminal. It imports no other room."""
