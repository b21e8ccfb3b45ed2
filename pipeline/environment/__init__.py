"""What a run finds: folders, Git, DVC, processes, versions, a terminal; and how YAML and dotted keys are read.

All other rooms import it, and it imports none. ruamel; psutil and rich are imported when they are needed.
"""
