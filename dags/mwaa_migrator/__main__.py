import sys

from mwaa_migrator.cli import main

sys.exit(main())
